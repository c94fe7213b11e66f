import type { WafExclusion } from '@sallyport/contracts';
import { compilePlan, planId, type Exclusion } from '@sallyport/waf';

/** A request as the audit trail has it. */
export interface AuditedRequest {
  readonly id: string;
  readonly verdict: 'pass' | 'flag' | 'refuse';
  readonly hits: readonly { readonly rule: number; readonly variable: string }[];
}

export interface Preview {
  readonly requests: number;
  readonly hits: number;
  /** Hits that would not be there. */
  readonly hitsRemoved: number;
  /** Requests that would have no hit left. */
  readonly cleared: readonly string[];
  /** Requests that were refused and have hits left: the exclusions do not let them through by themselves. */
  readonly stillHit: readonly string[];
  /** Exclusions that touch nothing of it, by their place in the list: perhaps a name is misspelt. */
  readonly unused: readonly number[];
}

/** Rules that only add up what others found: they fall silent with them. */
const SUMS: ReadonlySet<number> = new Set([949_110, 949_111, 949_112, 949_113, 959_100, 959_101, 980_170, 7_700_990]);

/**
 * Lays exclusions over hits that are on record.
 * @param tagsOf the tags of a rule of the set in force
 */
export function previewExclusions(
  exclude: readonly WafExclusion[],
  requests: readonly AuditedRequest[],
  tagsOf: (rule: number) => readonly string[],
): Preview {
  const exclusions = compilePlan(planId({ profile: 'own', exclude: [...exclude] })).exclusions;
  const used = new Set<number>();
  const cleared: string[] = [];
  const stillHit: string[] = [];
  let [hits, hitsRemoved] = [0, 0];
  for (const request of requests) {
    const found = request.hits.filter(({ rule }) => !SUMS.has(rule));
    const left = found.filter((hit) => {
      const by = exclusions.findIndex((exclusion) => covers(exclusion, hit, tagsOf(hit.rule)));
      if (by >= 0) used.add(by);
      return by < 0;
    });
    hits += found.length;
    hitsRemoved += found.length - left.length;
    if (left.length === 0 && found.length > 0) cleared.push(request.id);
    else if (request.verdict === 'refuse' && left.length < found.length) stillHit.push(request.id);
  }
  const unused = exclusions.flatMap((_, at) => (used.has(at) ? [] : [at]));
  return { requests: requests.length, hits, hitsRemoved, cleared, stillHit, unused };
}

function covers(
  { rules, tag, target }: Exclusion,
  hit: AuditedRequest['hits'][number],
  tags: readonly string[],
): boolean {
  const meant = rules ? rules.from <= hit.rule && hit.rule <= rules.to : tag !== undefined && tags.includes(tag);
  return meant && (target === undefined || isTarget(target, hit.variable));
}

/** Names of variables and of their members are compared without regard to case, as rules do. */
function isTarget(target: string, variable: string): boolean {
  const [collection, member] = split(target);
  const [found, foundMember] = split(variable);
  // ARGS holds what ARGS_GET and ARGS_POST hold.
  if (found !== collection && !(found === 'ARGS' && collection.startsWith('ARGS'))) return false;
  if (member === undefined) return true;
  const pattern = /^\/(.*)\/$/.exec(member)?.[1];
  // The pattern is configuration, and what it is laid over is short.
  return pattern === undefined ? foundMember === member : new RegExp(pattern, 'i').test(foundMember ?? '');
}

function split(text: string): [string, string | undefined] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1).toLowerCase()];
}
