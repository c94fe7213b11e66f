import {
  isRefusal,
  refuse,
  type aiV1,
  type Clock,
  type Principal,
  type Refusal,
  type RouteClass,
} from '@sallyport/contracts';
import type { ModelRouter, Planned, PlanQuestion } from '@sallyport/ai';
import type { Presented, Verifier, VerifierOutcome } from '@sallyport/identity';
import type { Charge, Limiter, Spending, StandIn } from '@sallyport/limits';
import type { Metrics } from '@sallyport/platform';
import type { Inspection, InspectionAnswer, InspectionHead, Inspector } from '@sallyport/waf';
import { isSilence, type Silence } from './consult';
import { FallbackWindow } from './fallback-window';
import type { RemoteInspector } from './remote-inspector';
import type { RemoteLimiter } from './remote-limiter';
import type { RemoteModelRouter } from './remote-model-router';
import type { RemoteVerifier } from './remote-verifier';

/**
 * The availability contract: what is decided while a service is down, or was too slow for one request. Each of these is
 * the port of its lib, whose callback hears who decided as a second argument, for the audit record. An engine that is
 * joined directly gives no second argument: there is no service that could be away.
 */
export type DecidedBy = 'service' | 'local';

export interface ConsultedVerifier extends Verifier {
  verify(presented: Presented, done: (outcome: VerifierOutcome, decidedBy?: DecidedBy) => void): void;
}
export interface ConsultedLimiter extends Limiter {
  spend(tenant: string, charges: readonly Charge[], done: (spending: Spending, decidedBy?: DecidedBy) => void): void;
}
export interface ConsultedInspector extends Inspector {
  /** @param onFailure what the route wants when nobody can inspect; `deny` unless said. */
  open(
    head: InspectionHead,
    answer: (answer: InspectionAnswer, decidedBy?: DecidedBy) => void,
    onFailure?: OnFailure,
  ): Inspection;
}
export interface ConsultedModelRouter extends ModelRouter {
  plan(question: PlanQuestion, done: (outcome: Planned | Refusal, decidedBy?: DecidedBy) => void): void;
}

/** What a route asks for when its request cannot be inspected. */
export type OnFailure = 'deny' | 'allow_flagged';

/** Makes the windows that count how long each service was stood in for. */
export function fallbackWindows(metrics: Metrics, clock: Clock): (service: string) => FallbackWindow {
  const help = 'Time in which a service was stood in for.';
  const seconds = metrics.counter('sallyport_ingress_fallback_seconds_total', help, ['service', 'mode']);
  return (service) => new FallbackWindow(service, clock, seconds);
}

/** auth: the same engine decides here, from the keys and trust entries of the last snapshot and within their bounds. */
export function verifierWithFallback(
  remote: Pick<RemoteVerifier, 'verify'>,
  local: Verifier,
  window: FallbackWindow,
): ConsultedVerifier {
  return {
    verify: (presented, done) =>
      remote.verify(presented, (outcome) => {
        if (!isSilence(outcome)) {
          window.answered();
          return done(outcome, 'service');
        }
        window.stoodIn('local');
        local.verify(presented, (decided) => done(decided, 'local'));
      }),
  };
}

/**
 * rate-limit: a local bucket of the limit divided by the live ingresses, which goes on where the service ended.
 * @param local already has that share, and follows what the service decides.
 */
export function limiterWithFallback(
  remote: Pick<RemoteLimiter, 'spend'>,
  local: StandIn,
  window: FallbackWindow,
): ConsultedLimiter {
  return {
    spend: (tenant, charges, done) =>
      remote.spend(tenant, charges, (outcome) => {
        if (!isSilence(outcome)) {
          window.answered();
          local.follow?.(tenant, charges, outcome);
          return done(outcome, 'service');
        }
        window.stoodIn('local');
        local.spend(tenant, charges, (spending) => done(spending, 'local'));
      }),
  };
}

/**
 * waf: nothing here can inspect. The route says whether its requests are refused, or pass with the verdict `flag` and no hits, which the record shows as a skipped inspection.
 */
export function inspectorWithFallback(
  remote: Pick<RemoteInspector, 'open'>,
  window: FallbackWindow,
): ConsultedInspector {
  return {
    open(head, answer, onFailure = 'deny') {
      const standIn = new SkippedInspection(onFailure, answer);
      const inspection = remote.open(head, (outcome) => {
        if (isSilence(outcome)) return standIn.take(outcome, window);
        window.answered();
        standIn.heard(outcome);
        answer(outcome, 'service');
      });
      return {
        body: (chunk) => inspection.body(chunk),
        bodyEnd: () => {
          inspection.bodyEnd();
          standIn.bodyEnd();
        },
        close: (outcome) => {
          standIn.close();
          inspection.close(outcome);
        },
      };
    },
  };
}

/** Answers in the place of a silent service, at the same points and in the same order as it would have. */
class SkippedInspection {
  private headAnswered = false;
  private bodyEnded = false;
  private over = false;
  private silent = false;

  constructor(
    private readonly onFailure: OnFailure,
    private readonly answer: (answer: InspectionAnswer, decidedBy: DecidedBy) => void,
  ) {}

  /** Where the service had got to before it fell silent. */
  heard({ point }: InspectionAnswer): void {
    if (point === 'request-head') this.headAnswered = true;
  }

  take(why: Silence, window: FallbackWindow): void {
    this.silent = true;
    window.stoodIn(this.onFailure);
    const point = this.headAnswered ? 'request-body' : 'request-head';
    if (this.onFailure === 'deny') return this.deny(point, why);
    if (!this.headAnswered) this.flag('request-head');
    this.flagBody();
  }

  /** A request with a body is answered a second time, also when nobody looked at it. */
  bodyEnd(): void {
    this.bodyEnded = true;
    this.flagBody();
  }

  close(): void {
    this.over = true;
  }

  private flagBody(): void {
    if (!this.silent || this.onFailure === 'deny' || !this.bodyEnded || this.over) return;
    this.over = true;
    this.flag('request-body');
  }

  private flag(point: InspectionAnswer['point']): void {
    this.answer({ point, verdict: 'flag', hits: [], enough: true }, 'local');
  }

  private deny(point: InspectionAnswer['point'], why: Silence): void {
    this.over = true;
    const refusal = refuse('WAF_UNAVAILABLE', {}, { reason: `the waf service is ${why}` });
    this.answer({ point, verdict: 'refuse', refusal, hits: [], enough: true }, 'local');
  }
}

/**
 * ai-router: the same engine plans here, for models of `public` and `internal` class, with credentials that were leased
 * before and still hold. Anything else is refused: no model is called with a credential or a budget nobody vouches for.
 *
 * @param local has the remote's leases as its source of credentials.
 * @param classOf the class of a virtual model, from the snapshot; undefined where there is no such model.
 */
export function modelRouterWithFallback(
  remote: Pick<RemoteModelRouter, 'plan' | 'settle' | 'models'>,
  local: ModelRouter,
  classOf: (tenant: string, model: string) => RouteClass | undefined,
  window: FallbackWindow,
): ConsultedModelRouter {
  return {
    plan: (question, done) =>
      remote.plan(question, (outcome) => {
        if (!isSilence(outcome)) {
          window.answered();
          return done(outcome, 'service');
        }
        if (classOf(question.tenant, question.model) === 'regulated') {
          window.stoodIn('unavailable');
          return done(unavailable('the model is regulated'), 'local');
        }
        local.plan(question, (decided) => {
          const lacks = isRefusal(decided) && decided.code === 'AI_CREDENTIAL_MISSING';
          window.stoodIn(lacks ? 'unavailable' : 'local');
          done(lacks ? unavailable('no leased credential holds') : decided, 'local');
        });
      }),
    settle: (settlement: aiV1.Settlement) => {
      if (!remote.settle(settlement)) local.settle(settlement);
    },
    models: (tenant: string, principal: Principal) => remote.models(tenant, principal),
  };
}

function unavailable(reason: string): Refusal {
  return refuse('AI_ROUTER_UNAVAILABLE', {}, { reason });
}
