import type { RequestHead } from '@sallyport/contracts';
import { FormCounter } from './body/form-counter';
import { JsonScanner } from './body/json-scanner';
import type { BodyArgument } from './body/parsed-body';
import { boundaryOf, MultipartScanner, type MultipartFault } from './body/multipart-scanner';
import { isFormType, isJsonType } from './media-type';
import { excludesRule, type Exclusion, type Plan } from './plan';
import type { ProfileLimits } from './profile';
import type { Finding, HeadView, RuleCard } from './rule';
import { judgeForm, judgeJson, judgeMultipart } from './rules/bodies';
import { headRules } from './rules/registry';

/** A structural rule and what it found. */
export type Found = readonly [RuleCard, Finding];

/** Any of it but what is escaped. */
const PLAIN = /^[ -$&-~]*$/;

/**
 * In `block` the first finding decides and ends the work; in `detect` all of them are recorded.
 * @param queryArguments those of the head's query
 * @param now milliseconds since the epoch: exclusions end
 */
export function judgeHead(
  head: RequestHead,
  queryArguments: readonly BodyArgument[],
  plan: Plan,
  now: number,
): Found[] {
  const isPlainQuery = PLAIN.test(head.query) && !head.query.includes('..');
  const view: HeadView = { head, queryArguments, isPlainQuery, limits: plan.limits };
  const mayBeExcluded = plan.exclusions.length > 0 || plan.killed.length > 0;
  const found: Found[] = [];
  for (const rule of headRules) {
    if (mayBeExcluded && (isExcluded(rule.id, plan.exclusions, now) || isExcluded(rule.id, plan.killed, now))) continue;
    const finding = rule.inspect(view);
    if (!finding) continue;
    found.push([rule, finding]);
    if (plan.mode === 'block') break;
  }
  return found;
}

function isExcluded(id: number, exclusions: readonly Exclusion[], now: number): boolean {
  return exclusions.some((exclusion) => (exclusion.expires ?? Infinity) > now && excludesRule(exclusion, id, []));
}

/** Follows a body; tells what is wrong as soon as it knows. */
export interface BodyScan {
  push(chunk: Uint8Array): Found | undefined;
  end(): Found | undefined;
}

/**
 * @returns undefined for a type that is opaque to the structural rules. Of the others every byte is seen, up to the body limit of
 * the route: what is not inspected cannot be called well-formed.
 */
export function scannerOf(head: RequestHead, limits: ProfileLimits): BodyScan | undefined {
  if (!head.hasBody) return undefined;
  if (isJsonType(head.mediaType)) return jsonScan(limits);
  if (isFormType(head.mediaType)) return formScan(limits);
  if (head.mediaType === 'multipart/form-data') return multipartScan(head, limits);
  return undefined;
}

function jsonScan(limits: ProfileLimits): BodyScan {
  const scanner = new JsonScanner(limits.json);
  const judge = (fault: ReturnType<JsonScanner['end']>) => fault && judgeJson(fault, limits);
  return { push: (chunk) => judge(scanner.push(chunk)), end: () => judge(scanner.end()) };
}

function formScan(limits: ProfileLimits): BodyScan {
  const counter = new FormCounter(limits.formArguments);
  return {
    push: (chunk) => (counter.push(chunk) ? judgeForm(counter.count, limits) : undefined),
    end: () => undefined,
  };
}

function multipartScan(head: RequestHead, limits: ProfileLimits): BodyScan {
  const boundary = boundaryOf(head.field.get('content-type') ?? '');
  const judge = (fault: MultipartFault | undefined) => fault && judgeMultipart(fault, limits);
  if (boundary === undefined) return { push: () => judge('syntax'), end: () => judge('syntax') };
  const scanner = new MultipartScanner(boundary, limits.multipart);
  return { push: (chunk) => judge(scanner.push(chunk)), end: () => judge(scanner.end()) };
}
