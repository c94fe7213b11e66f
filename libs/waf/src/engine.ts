import type { RequestHead } from '@sallyport/contracts';
import { splitArguments } from './body/arguments';
import { FormCounter } from './body/form-counter';
import { JsonScanner } from './body/json-scanner';
import { boundaryOf, MultipartScanner, type MultipartFault } from './body/multipart-scanner';
import type {
  Hit,
  Inspected,
  Inspection,
  InspectionAnswer,
  InspectionHead,
  Inspector,
  MalformedRequest,
} from './inspector';
import { isFormType, isJsonType } from './media-type';
import { compilePlan, excludesRule, type Plan } from './plan';
import type { ProfileLimits } from './profile';
import { hitOf, type Finding, type HeadView, type RuleCard } from './rule';
import { judgeForm, judgeJson, judgeMultipart } from './rules/bodies';
import { headRules } from './rules/registry';

type Answer = (answer: InspectionAnswer) => void;
type Found = readonly [RuleCard, Finding];

/**
 * The inspector itself: our structural rules over head and body. Work is linear in the input, nothing is kept of it,
 * and every byte of a body that has a scanner is seen, up to the body limit of the route: what is not inspected cannot
 * be called well-formed. Bodies of other types are opaque to it, and the answer to their first bytes is `enough`.
 */
export class Engine implements Inspector {
  open({ head, plan: id }: InspectionHead, answer: Answer): Inspection {
    const plan = compilePlan(id);
    const found = plan.mode === 'off' ? [] : judgeHead(head, plan);
    const scan = plan.mode === 'off' ? undefined : scannerOf(head, plan.limits);
    // With a body nothing is enough yet: its first bytes are answered, if only to say that the rest is not looked at.
    const reply = answerTo('request-head', plan, found, !head.hasBody);
    const inspection = new EngineInspection(plan, scan, answer, reply.verdict === 'refuse');
    answer(reply);
    return inspection;
  }

  malformed({ packet }: MalformedRequest, answer: Answer): void {
    const inspected: Inspected = { extent: 'skipped', bytes: packet.length, why: 'no-rules' };
    answer({ point: 'malformed', verdict: 'pass', hits: [], enough: true, inspected, ruleset: RULESET, cpuMicros: 0 });
  }
}

/** Name of the rules that are always there. */
const RULESET = 'built-in';
const ALL: Inspected = Object.freeze({ extent: 'full', bytes: 0, why: undefined });
const OFF: Inspected = Object.freeze({ extent: 'skipped', bytes: 0, why: 'off' });

/** In `block` the first finding decides and ends the work; in `detect` all of them are recorded. */
function judgeHead(head: RequestHead, plan: Plan): Found[] {
  const view: HeadView = { head, queryArguments: splitArguments(head.query).arguments, limits: plan.limits };
  const found: Found[] = [];
  for (const rule of headRules) {
    if (plan.exclusions.some((exclusion) => excludesRule(exclusion, rule.id, []))) continue;
    const finding = rule.inspect(view);
    if (!finding) continue;
    found.push([rule, finding]);
    if (plan.mode === 'block') break;
  }
  return found;
}

function answerTo(
  point: InspectionAnswer['point'],
  { mode }: Plan,
  found: readonly Found[],
  seenEnough: boolean,
): InspectionAnswer {
  const hits: Hit[] = found.map(([rule, finding]) => hitOf(rule, finding, point === 'request-head' ? 1 : 2));
  const [first] = found;
  const common = { point, hits, inspected: mode === 'off' ? OFF : ALL, ruleset: RULESET, cpuMicros: 0 };
  if (!first) return { ...common, verdict: 'pass', enough: seenEnough };
  if (mode === 'detect') return { ...common, verdict: 'flag', enough: seenEnough };
  const refusal = { ...first[1].refusal, reason: `rule ${first[0].id}: ${first[0].message}` };
  return { ...common, verdict: 'refuse', refusal: Object.freeze(refusal), enough: true };
}

/** Follows a body; tells what is wrong as soon as it knows. */
interface BodyScan {
  push(chunk: Uint8Array): Found | undefined;
  end(): Found | undefined;
}

function scannerOf(head: RequestHead, limits: ProfileLimits): BodyScan | undefined {
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

/** One request; answers the body once, and nothing after that. */
class EngineInspection implements Inspection {
  constructor(
    private readonly plan: Plan,
    private readonly scan: BodyScan | undefined,
    private readonly answer: Answer,
    /** Answered in full, or closed. */
    private over: boolean,
  ) {}

  body(chunk: Uint8Array): boolean {
    if (this.over) return false;
    const found = this.scan?.push(chunk);
    if (this.scan && !found) return true;
    this.conclude(found);
    return false;
  }

  bodyEnd(): void {
    if (!this.over) this.conclude(this.scan?.end());
  }

  response(): void {
    if (this.plan.response.inspect) this.answer(answerTo('response-head', this.plan, [], false));
  }

  responseBody(): boolean {
    return false;
  }

  responseEnd(): void {
    if (this.plan.response.inspect) this.answer(answerTo('response-body', this.plan, [], true));
  }

  close(): void {
    this.over = true;
  }

  private conclude(found: Found | undefined): void {
    this.over = true;
    this.answer(answerTo('request-body', this.plan, found ? [found] : [], true));
  }
}
