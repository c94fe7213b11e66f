import { isRefusal, type RequestHead, type WafProfile } from '@sallyport/contracts';
import { canonicalRequest, limits } from '@sallyport/proxy';
import { compilePlan, defaultBudget, Engine, type InspectionAnswer, type Program, type RuleSet } from '@sallyport/waf';
import { programOf } from '../../../apps/waf/src/rulesets/program-of';
import type { BenignRequest } from './benign-request';

/** What is tried is what rules say; how long they may take is tried elsewhere. */
const budget = { ...defaultBudget, base: 60_000, most: 60_000 };

/** Lets a rule set judge requests, each by the plan of a blocking route of its profile. */
export class Judge {
  private readonly engine: Engine;
  private readonly programs = new Map<WafProfile, Program>();

  constructor(name: string, ruleSet: RuleSet) {
    this.engine = new Engine({
      rules: (plan) => {
        const known = this.programs.get(plan.profile) ?? programOf(ruleSet, { ownMethods: false }, plan);
        this.programs.set(plan.profile, known);
        return { name, program: known };
      },
      budget,
      later: (next) => next(),
    });
  }

  /** @returns why the request was refused, with the rules that hit it; undefined where it passed. */
  judge(request: BenignRequest): string | undefined {
    const plan = `${request.profile}:block`;
    const answers: InspectionAnswer[] = [];
    const head = headOf(request);
    if (typeof head === 'string') return head;
    const inspection = this.engine.open({ head, plan, tenant: 'default', requestId: 'r' }, (answer) =>
      answers.push(answer),
    );
    if (request.body) inspection.body(request.body);
    if (head.hasBody) inspection.bodyEnd();
    inspection.close('completed');
    const refused = answers.find(({ verdict }) => verdict === 'refuse');
    if (refused) return `${refused.refusal?.reason}: ${hitsOf(answers)}`;
    const judged = answers.some(({ point }) => point === (head.hasBody ? 'request-body' : 'request-head'));
    return judged ? undefined : `no answer by ${compilePlan(plan).id}`;
  }
}

function hitsOf(answers: readonly InspectionAnswer[]): string {
  return answers
    .flatMap(({ hits }) => hits)
    .map(({ rule, variable, data }) => `${rule} in ${variable} (${data})`)
    .join(', ');
}

/** @returns the head as the ingress reads it, or why the ingress refuses it */
function headOf({ method, target, fields, body }: BenignRequest): RequestHead | string {
  const length = body ? [['Content-Length', String(body.length)] as const] : [];
  const rawHeaders = [['Host', 'shop.example.org'] as const, ...fields, ...length].flat();
  const raw = { method, target, rawHeaders, httpVersion: '1.1', remoteAddress: '192.0.2.1', encrypted: true };
  const head = canonicalRequest(raw, limits.head);
  return isRefusal(head) ? `the ingress refuses it: ${head.code}` : head;
}
