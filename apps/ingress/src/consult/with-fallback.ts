import { isRefusal, refuse, type aiV1, type Principal, type Refusal, type RouteClass } from '@sallyport/contracts';
import type { ModelRouter, Planned, PlanQuestion } from '@sallyport/ai';
import type { Presented, Verifier, VerifierOutcome } from '@sallyport/identity';
import type { Charge, Limiter, Spending, StandIn } from '@sallyport/limits';
import { FallbackWindow, tellFallback, type Runtime } from '@sallyport/platform';
import type {
  Inspection,
  InspectionAnswer,
  InspectionHead,
  Inspector,
  MalformedRequest,
  Point,
  ResponseHead,
} from '@sallyport/waf';
import { isSilence, type Silence } from './consult';
import type { PausableInspection, RemoteInspector } from './remote-inspector';
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
  ): Inspection & Partial<PausableInspection>;
  malformed(request: MalformedRequest, answer: (answer: InspectionAnswer, decidedBy?: DecidedBy) => void): void;
}
export interface ConsultedModelRouter extends ModelRouter {
  plan(question: PlanQuestion, done: (outcome: Planned | Refusal, decidedBy?: DecidedBy) => void): void;
}

/** What a route asks for when its request cannot be inspected. */
export type OnFailure = 'deny' | 'allow_flagged';

/** The windows of one process, by service, and what ends those that are open. */
export interface FallbackWindows {
  of(service: string, isUp: () => boolean): FallbackWindow;
  close(): void;
}

/**
 * Makes the windows that tell how long each service was stood in for: as a metric, as one line of the log at either end,
 * and as a record of the audit trail.
 */
export function fallbackWindows(
  runtime: Pick<Runtime, 'app' | 'metrics' | 'clock' | 'logger' | 'random' | 'trail'>,
): FallbackWindows {
  const { metrics, clock } = runtime;
  const help = 'Time in which a service was stood in for.';
  const seconds = metrics.counter('sallyport_ingress_fallback_seconds_total', help, ['service', 'mode']);
  const windows: FallbackWindow[] = [];
  return {
    of(service, isUp) {
      const words = {
        began: `${service} is stood in for: the availability contract applies`,
        ended: `${service} decides again`,
      };
      const window = new FallbackWindow(service, { clock, seconds, isUp, ...tellFallback(runtime, words) });
      windows.push(window);
      return window;
    },
    close: () => windows.forEach((window) => window.close()),
  };
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
  remote: Pick<RemoteInspector, 'open' | 'malformed'>,
  window: FallbackWindow,
): ConsultedInspector {
  return {
    open(head, answer, onFailure = 'deny') {
      const watched = new WatchedInspection(onFailure, window, head.head.hasBody, answer);
      watched.remote = remote.open(head, (outcome) => watched.hear(outcome));
      return watched;
    },
    malformed(request, answer) {
      remote.malformed(request, (outcome) => {
        if (!isSilence(outcome)) return answer(outcome, 'service');
        // It is refused in any case; only its record is poorer.
        window.stoodIn('deny');
        answer(notInspected('malformed', 'flag'), 'local');
      });
    },
  };
}

/** An answer in the place of a service that gives none. */
function notInspected(point: Point, verdict: 'flag' | 'refuse', refusal?: Refusal): InspectionAnswer {
  return {
    point,
    verdict,
    ...(refusal && { refusal }),
    hits: [],
    enough: true,
    inspected: { extent: 'skipped', bytes: 0, why: 'unavailable' },
    ruleset: '',
    cpuMicros: 0,
  };
}

/** Hands on what the service says, and answers in the place of a silent one at the same points and in the same order. */
class WatchedInspection implements PausableInspection {
  /** Set as soon as it is open; answers may come before. */
  remote: PausableInspection | undefined;
  /** Points that were asked for and not answered, in order. */
  private readonly owed: Point[] = ['request-head'];
  /** Of an answer that goes on for long the service may have seen enough before it ends. */
  private saidEnough = false;
  /** The point that follows, for a service that breaks when nothing is owed. */
  private next: Point;
  private over = false;
  private silence: Silence | undefined;

  constructor(
    private readonly onFailure: OnFailure,
    private readonly window: FallbackWindow,
    hasBody: boolean,
    private readonly answer: (answer: InspectionAnswer, decidedBy: DecidedBy) => void,
  ) {
    this.next = hasBody ? 'request-body' : 'response-head';
  }

  hear(outcome: InspectionAnswer | Silence): void {
    if (isSilence(outcome)) return this.standIn(outcome);
    this.window.answered();
    const at = this.owed.indexOf(outcome.point);
    if (at >= 0) this.owed.splice(at, 1);
    if (outcome.point === 'response-body') this.saidEnough = true;
    this.answer(outcome, 'service');
  }

  get clogged(): boolean {
    return this.remote!.clogged;
  }

  whenFlowing(go: () => void): void {
    this.remote!.whenFlowing(go);
  }

  body(chunk: Uint8Array): boolean {
    return this.remote!.body(chunk);
  }

  /** A request with a body is answered a second time, also when nobody looked at it. */
  bodyEnd(): void {
    this.next = 'response-head';
    this.remote!.bodyEnd();
    this.owe('request-body');
  }

  response(head: ResponseHead): void {
    this.next = 'response-body';
    this.remote!.response(head);
    this.owe('response-head');
  }

  responseBody(chunk: Uint8Array): boolean {
    return this.remote!.responseBody(chunk);
  }

  responseEnd(): void {
    if (this.saidEnough) return;
    this.remote!.responseEnd();
    this.owe('response-body');
  }

  close(outcome: string): void {
    this.over = true;
    this.remote!.close(outcome);
  }

  private owe(point: Point): void {
    this.owed.push(point);
    this.standInForWhatIsOwed();
  }

  private standIn(why: Silence): void {
    this.silence = why;
    this.window.stoodIn(this.onFailure);
    if (this.onFailure === 'deny') this.deny(why);
    else this.standInForWhatIsOwed();
  }

  private standInForWhatIsOwed(): void {
    if (this.silence === undefined || this.onFailure === 'deny') return;
    for (const point of this.owed.splice(0)) if (!this.over) this.answer(notInspected(point, 'flag'), 'local');
  }

  private deny(why: Silence): void {
    if (this.over) return;
    this.over = true;
    const refusal = refuse('WAF_UNAVAILABLE', {}, { reason: `the waf service is ${why}` });
    this.answer(notInspected(this.owed[0] ?? this.next, 'refuse', refusal), 'local');
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
