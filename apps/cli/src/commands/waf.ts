import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDuration } from '@sallyport/contracts';
import { adminClient, dataDirectories, type AdminClient } from '../admin-client';
import type { Command, Invocation } from '../command-line';
import { exitCodes, Failure, usageFailure } from '../failure';
import { listing, plain } from '../output';
import type { World } from '../world';

const KILLS = '/api/waf/v1/kills';
const EVENTS = '/api/audit/v1/events';
const COMPLETED = 'request.completed';

interface Kill {
  readonly id: string;
  readonly what: string;
  readonly reason: string;
  readonly by: string;
  readonly until: string;
}

export const wafKill: Command = {
  name: 'waf kill',
  summary: 'Switch off a rule, a tag or every rule, everywhere, for some time.',
  operands: ['RULE|FROM-TO|tag:TAG|all'],
  options: [
    { name: 'for', value: 'DURATION', summary: 'It ends by itself after so long, at most 30d; default: 1h.' },
    { name: 'reason', value: 'TEXT', summary: 'Why; it stands in the audit trail.' },
    { name: 'local', summary: 'On this host alone, by a file: for when the admin API does not answer.' },
  ],
  examples: [
    'waf kill 942190 --for 2h --reason "blocks the order form"',
    'waf kill tag:attack-sqli --for 30m --reason "false positives" --local',
  ],
  async run(invocation, world, output) {
    const [what = ''] = invocation.operands;
    const reason = invocation.text('reason');
    if (reason === undefined) throw usageFailure('--reason says why, and is missing.');
    const seconds = Math.ceil(durationOf(invocation) / 1000);
    if (invocation.has('local')) {
      const file = await killHere(what, reason, seconds, world);
      output.result({ what, file }, `${what} is off on this host for ${seconds} s (${file})`);
      return exitCodes.done;
    }
    const kill = await adminClient(invocation.text('server'), world).post<Kill>(KILLS, { what, seconds, reason });
    output.result(kill, `${kill.what} is off everywhere until ${kill.until} (${kill.id})`);
    return exitCodes.done;
  },
};

export const wafKills: Command = {
  name: 'waf kills',
  summary: 'List the kill switches that hold.',
  operands: [],
  options: [],
  examples: ['waf kills', 'waf kills --json'],
  async run(invocation, world, output) {
    const { items } = await adminClient(invocation.text('server'), world).get<{ items: readonly Kill[] }>(KILLS);
    if (items.length === 0) output.note('no rule is switched off');
    const rows = items.map(({ id, what, until, by, reason }) => [id, what, until, by, reason]);
    output.result({ items }, ...listing(['ID', 'OFF', 'UNTIL', 'BY', 'REASON'], rows));
    return exitCodes.done;
  },
};

export const wafRevive: Command = {
  name: 'waf revive',
  summary: 'End a kill switch before its time.',
  operands: ['ID'],
  options: [],
  examples: ['waf revive kill_4f2a9c01b7de', 'waf revive kill_4f2a9c01b7de --json'],
  async run(invocation, world, output) {
    const [id = ''] = invocation.operands;
    const admin = adminClient(invocation.text('server'), world);
    const kill = await admin.delete<Kill>(`${KILLS}/${encodeURIComponent(id)}`);
    output.result(kill, `${kill.what} is on again`);
    return exitCodes.done;
  },
};

/** What a record of the audit has of inspection. */
interface WafDetail {
  readonly verdict: string;
  readonly ruleset?: string;
  readonly score?: number;
  readonly scores?: { readonly inbound: Sides; readonly outbound: Sides };
  readonly inspected?: { readonly extent: string; readonly why?: string };
  readonly hits: readonly HitDetail[];
}

interface Sides {
  readonly detection: number;
  readonly blocking: number;
}

interface HitDetail {
  readonly rule: number;
  readonly severity: string;
  readonly variable: string;
  readonly phase?: number;
  readonly paranoia?: number;
  readonly message?: string;
  readonly data?: string;
  readonly late?: boolean;
}

interface EventView {
  readonly status_code?: string;
  readonly unmapped?: { readonly sallyport?: { readonly request_id?: string; readonly waf?: WafDetail } };
}

export const wafExplain: Command = {
  name: 'waf explain',
  summary: 'Say why a request was blocked or flagged: the rules that matched, where, and what they add up to.',
  operands: ['REQUEST-ID'],
  options: [],
  examples: ['waf explain req_8sQ2dE1x', 'waf explain req_8sQ2dE1x --json'],
  async run(invocation, world, output) {
    const [request = ''] = invocation.operands;
    const admin = adminClient(invocation.text('server'), world);
    const { items } = await admin.get<{ items: readonly EventView[] }>(EVENTS, {
      request,
      what: COMPLETED,
      from: new Date(world.clock.now() - AUDIT_MS).toISOString(),
    });
    const event = items.find(({ unmapped }) => unmapped?.sallyport?.waf);
    const waf = event?.unmapped?.sallyport?.waf;
    if (!waf) {
      throw new Failure(`The audit trail has no inspection of ${plain(request)} in the last 30 days.`, {
        exitCode: exitCodes.failed,
        next: 'sallyport tail shows the ids of requests',
      });
    }
    output.result({ request, status: event?.status_code, ...waf }, ...explained(waf));
    return exitCodes.done;
  },
};

export const wafPreview: Command = {
  name: 'waf preview',
  summary: 'Say what an exclusion would have done to the hits of the last 24 hours.',
  operands: [],
  options: [
    { name: 'rule', value: 'RULE', summary: 'A rule or a range, such as 942190 or 942000-942999.' },
    { name: 'tag', value: 'TAG', summary: 'Every rule with a tag, such as attack-sqli.' },
    { name: 'target', value: 'TARGET', summary: 'Such as ARGS:json.query; without it the rule is off as a whole.' },
    { name: 'route', value: 'ROUTE', summary: 'Only requests of this route.' },
  ],
  examples: [
    'waf preview --rule 942190 --target ARGS:json.query',
    'waf preview --tag attack-sqli --target ARGS:q --json',
  ],
  async run(invocation, world, output) {
    const admin = adminClient(invocation.text('server'), world);
    const rule = invocation.text('rule');
    const exclusion = {
      ...(rule !== undefined && { rule: /^\d+$/.test(rule) ? Number(rule) : rule }),
      ...(invocation.has('tag') && { tag: invocation.text('tag') }),
      ...(invocation.has('target') && { target: invocation.text('target') }),
      reason: 'preview',
    };
    const requests = await auditedHits(admin, invocation.text('route'));
    const preview = await admin.post<Preview>('/api/waf/v1/exclusions/preview', { exclude: [exclusion], requests });
    output.result(preview, ...foretold(preview));
    return exitCodes.done;
  },
};

interface Preview {
  readonly requests: number;
  readonly hits: number;
  readonly hitsRemoved: number;
  readonly cleared: readonly string[];
  readonly stillHit: readonly string[];
  readonly unused: readonly number[];
}

function foretold({ requests, hits, hitsRemoved, cleared, stillHit, unused }: Preview): string[] {
  return [
    `${requests} requests with ${hits} hits in the last 24 hours`,
    `${hitsRemoved} hits would be gone, ${cleared.length} requests would have none left`,
    ...stillHit.slice(0, MOST_LISTED).map((id) => `still refused by other rules: ${id}`),
    ...(unused.length > 0 ? ['the exclusion touches nothing: is a name misspelt?'] : []),
  ];
}

const MOST_LISTED = 20;
const MOST_REQUESTS = 2_000;
const AUDIT_MS = 30 * 86_400_000;
const MOST_KILL_MS = 30 * 86_400_000;

interface AuditedRequest {
  readonly id: string;
  readonly verdict: string;
  readonly hits: readonly Pick<HitDetail, 'rule' | 'variable'>[];
}

/** Requests of the last day that rules matched on. */
async function auditedHits(admin: AdminClient, route: string | undefined): Promise<AuditedRequest[]> {
  const found: AuditedRequest[] = [];
  const query = { what: COMPLETED, ...(route !== undefined && { route }) };
  for await (const { unmapped } of admin.all<EventView>(EVENTS, query)) {
    const { request_id: id = '', waf } = unmapped?.sallyport ?? {};
    if (!waf || waf.hits.length === 0) continue;
    found.push({ id, verdict: waf.verdict, hits: waf.hits.map(({ rule, variable }) => ({ rule, variable })) });
    if (found.length === MOST_REQUESTS) break;
  }
  return found;
}

function explained({ verdict, ruleset, score, scores, inspected, hits }: WafDetail): string[] {
  const lines = [`verdict ${verdict}${ruleset === undefined ? '' : ` by ${ruleset}`}`];
  if (scores) {
    const { inbound, outbound } = scores;
    lines.push(`score   inbound ${inbound.detection} (blocking ${inbound.blocking}), outbound ${outbound.detection}`);
  } else if (score) lines.push(`score   ${score}`);
  if (inspected) lines.push(`seen    ${inspected.extent}${inspected.why === undefined ? '' : `: ${inspected.why}`}`);
  if (hits.length === 0) return [...lines, 'no rule matched'];
  const rows = hits.map(({ rule, phase, severity, paranoia, variable, message = '', data = '', late }) => [
    String(rule),
    phase === undefined ? '' : String(phase),
    severity,
    paranoia ? `PL${paranoia}` : '',
    variable,
    shortened(message),
    `${shortened(data)}${late === true ? ' (late)' : ''}`,
  ]);
  return [...lines, ...listing(['RULE', 'PHASE', 'SEVERITY', 'LEVEL', 'WHERE', 'WHAT', 'SAMPLE'], rows)];
}

const MOST_SHOWN = 80;

function shortened(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN - 1)}…` : text;
}

function durationOf(invocation: Invocation): number {
  const text = invocation.text('for') ?? '1h';
  try {
    const milliseconds = parseDuration(text);
    if (milliseconds >= 1000 && milliseconds <= MOST_KILL_MS) return milliseconds;
  } catch {
    // Said below.
  }
  throw usageFailure(`--for takes a duration such as 30m, 2h or 1d, at most 30d, not “${plain(text)}”.`);
}

/** Adds to the file that the waf service of this host looks at every second. */
async function killHere(what: string, reason: string, seconds: number, world: World): Promise<string> {
  const folder = join(dataDirectories(world)[0]!, 'waf');
  const file = join(folder, 'kill-switches.json');
  const before = await readFile(file, 'utf8').catch(() => '[]');
  const until = new Date(world.clock.now() + seconds * 1000).toISOString();
  const kills = [...(JSON.parse(before) as object[]), { what, reason, until }];
  await mkdir(folder, { recursive: true });
  await writeFile(file, `${JSON.stringify(kills, undefined, 2)}\n`, { mode: 0o600 });
  return file;
}
