import { refuse, type Clock, type Refusal, type SnapshotUpstream } from '@sallyport/contracts';
import type { Forwarding } from '../forward';
import { HealthProber } from './health-prober';
import { LatencySample } from './latency-sample';
import { OutlierDetector, SWEEP_MS, type OutlierChange } from './outlier';
import { pickerOf, type Picker } from './picker';
import { RetryBudget } from './retry-budget';
import { SlidingCounts } from './sliding-counts';
import type { Timers } from './timers';
import { UpstreamCall, type CallOwner } from './upstream-call';
import { TargetState, type TargetStanding, type UpstreamTarget } from './upstream-target';
import type { Verdict } from './verdict';

/** One turn in the life of a target, for the log. */
export interface TargetChange {
  readonly upstream: string;
  /** Host and port. */
  readonly target: string;
  readonly change: 'opened' | 'closed' | 'ejected' | 'returned' | 'unhealthy' | 'healthy';
  readonly reason: string;
}

/** What a group works with. */
export interface GroupParts {
  readonly clock: Clock;
  readonly timers: Timers;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly onChange: (change: TargetChange) => void;
}

export interface TargetStatus {
  readonly url: string;
  readonly weight: number;
  readonly standing: TargetStanding;
  readonly load: number;
  readonly calls: number;
  readonly failures: number;
  readonly retries: number;
  readonly ejections: number;
  /** Milliseconds until an ejection ends or a probe goes out; 0: neither. */
  readonly waitMs: number;
}

const HEDGE_WINDOW_MS = 10_000;

/** The pool has its own bound on connections; what waits for one is bounded where the settings say so. */
const NO_LIMITS = { connections: Infinity, pending: 0, requests: Infinity };

/**
 * The targets of one upstream: who takes the next call, who is left out for now, and what failed calls cost. With none
 * of the settings that ask for it, a call is a choice of target and nothing more.
 */
export class UpstreamGroup {
  readonly id: string;
  readonly states: readonly TargetState[];
  readonly budget: RetryBudget | undefined;
  readonly latencies: LatencySample | undefined;
  private readonly hedged: SlidingCounts | undefined;
  private readonly hedgeable: SlidingCounts | undefined;
  private readonly picker: Picker;
  private readonly detector: OutlierDetector | undefined;
  /** Places in `states` by place in the detector, which knows only those with a weight. */
  private readonly judged: readonly number[];
  private readonly prober: HealthProber | undefined;
  private readonly out: Uint8Array;
  private readonly mostCalls: number;
  private nextSweep = 0;
  /** Whether any target is left out; while none is, nobody looks. */
  private impaired = true;
  /** Nothing is judged, repeated or bounded. */
  private readonly plain: boolean;

  /** @param previous the same upstream in the revision before: targets whose URL stays keep what is known of them. */
  constructor(
    readonly settings: SnapshotUpstream,
    targets: readonly UpstreamTarget[],
    readonly parts: GroupParts,
    previous?: UpstreamGroup,
  ) {
    this.id = settings.id;
    this.states = adopt(targets, settings, parts, previous);
    this.picker = pickerOf(settings.balance, this.states);
    const { health, breaker, retry, hedge, timeouts } = settings;
    this.judged = this.states.flatMap(({ weight }, at) => (weight > 0 ? [at] : []));
    if (health?.ejection) {
      const records = this.judged.map((at) => this.states[at]!.outlier!);
      this.detector = new OutlierDetector(health.ejection, records, (seat) =>
        isHeldBack(this.states[this.judged[seat]!]!),
      );
    }
    if (retry) this.budget = new RetryBudget(retry);
    if (hedge) {
      this.latencies = new LatencySample();
      this.hedged = new SlidingCounts(HEDGE_WINDOW_MS);
      this.hedgeable = new SlidingCounts(HEDGE_WINDOW_MS);
    }
    this.out = new Uint8Array(targets.length);
    const { connections, pending, requests } = settings.limits ?? NO_LIMITS;
    this.mostCalls = Math.min(requests, settings.protocol === 'http2' ? Infinity : connections + pending);
    this.plain =
      !health &&
      !breaker &&
      !retry &&
      !hedge &&
      !settings.limits &&
      !settings.adaptive &&
      timeouts.totalMs === undefined &&
      !isLoadWanted(settings);
    if (health?.active) this.prober = new HealthProber(this, health.active);
  }

  /** What the caller must hash; undefined where balancing does not look at it. */
  get hashOn(): string | undefined {
    const { balance } = this.settings;
    return balance?.by === 'hash' ? balance.hash.on : undefined;
  }

  /** Whether a failed call may be made once more. */
  get repeats(): boolean {
    return this.budget !== undefined && this.settings.retry!.attempts > 0;
  }

  /** Begins to ask the targets by themselves, where the settings say so. */
  start(): void {
    this.prober?.start();
  }

  /** Ends what runs by itself; calls under way go on. */
  stop(): void {
    this.prober?.stop();
  }

  /** Chooses a target for a call that is made by someone else, and not judged by how it ends. */
  pick(key = ''): UpstreamTarget | Refusal {
    const at = this.choose(key, undefined, this.parts.clock.monotonic());
    return typeof at === 'number' ? this.states[at]!.target : at;
  }

  /** Whether a call could go out now. Targets that rest take none, however well they are. */
  available(): boolean {
    const now = this.parts.clock.monotonic();
    return this.states.some((state) => state.weight > 0 && !this.isOut(state, now) && this.hasRoom(state));
  }

  /**
   * Makes a call, with whatever attempts it takes.
   * @param key of `hashOn`
   */
  call(owner: CallOwner, key = ''): Forwarding {
    if (!this.plain) return new UpstreamCall(this, owner, key).start();
    const at = this.picker.pick(undefined, key);
    if (at < 0) return failed(owner, noTarget());
    const state = this.states[at]!;
    state.calls++;
    const request = owner.requestFor(state.target, 1);
    return 'refused' in request ? failed(owner, request) : state.target.client.forward(request, owner);
  }

  /** @returns the place of a target, or why there is none. */
  choose(key: string, tried: Uint8Array | undefined, now: number): number | Refusal {
    if (this.detector && now >= this.nextSweep) this.sweep(now);
    if (!this.impaired && !tried) {
      const at = this.picker.pick(undefined, key);
      if (at >= 0 && this.hasRoom(this.states[at]!)) return at;
    }
    return this.chooseAmongTheRest(key, tried, now);
  }

  /** A call to a target goes out. @returns whether it is the probe of an open breaker. */
  begin(at: number, now: number): boolean {
    const state = this.states[at]!;
    state.load++;
    state.calls++;
    return state.breaker?.begin(now) ?? false;
  }

  /** Notes how long a target took. @param latencyMs from the last byte of a request to the head of its answer */
  measure(at: number, latencyMs: number, now: number): void {
    this.latencies?.add(latencyMs);
    if (!this.detector) return;
    const seat = this.judged.indexOf(at);
    if (seat >= 0) this.detector.measure(seat, latencyMs, now);
  }

  /** Judges a target by how a call went; once a call, or one that breaks off would be half a good one. */
  observe(at: number, verdict: Verdict, probe: boolean, now: number): void {
    const state = this.states[at]!;
    if (verdict === 'error' || verdict === 'gateway') state.failures++;
    if (state.breaker?.record(verdict, probe, now)) {
      if (state.breaker.open) this.impaired = true;
      this.tell(
        state,
        state.breaker.open ? 'opened' : 'closed',
        state.breaker.open ? 'its calls fail' : 'a call was answered',
      );
    }
    if (!this.detector) return;
    const seat = this.judged.indexOf(at);
    const change = seat < 0 ? undefined : this.detector.observe(seat, verdict, now);
    if (change) this.turn(change);
  }

  /** What a target said when it was asked. */
  checked(state: TargetState, good: boolean, reason: string): void {
    const { active } = this.settings.health ?? {};
    if (!active || !state.check?.record(good, active)) return;
    this.impaired = true;
    this.tell(state, state.check.healthy ? 'healthy' : 'unhealthy', reason);
  }

  /** How long to wait before a second target is asked; undefined: it is not. */
  hedgeDelay(now: number): number | undefined {
    if (!this.hedgeable) return undefined;
    this.hedgeable.add(now, false);
    return this.settings.hedge!.afterMs ?? this.latencies!.p95;
  }

  /** Takes one extra call out of the share that hedging may make. */
  tryHedge(now: number): boolean {
    this.hedged!.advance(now);
    if ((this.hedged!.calls + 1) * 100 > this.hedgeable!.calls * this.settings.hedge!.maxPercent) return false;
    this.hedged!.add(now, false);
    return true;
  }

  status(): TargetStatus[] {
    const now = this.parts.clock.monotonic();
    return this.states.map((state) => ({
      url: state.target.url,
      weight: state.weight,
      standing: state.standing(now),
      load: state.load,
      calls: state.calls,
      failures: state.failures,
      retries: state.retries,
      ejections: state.ejections,
      waitMs: Math.round(Math.max(0, (state.outlier?.ejectedUntil ?? 0) - now, state.breaker?.wait(now) ?? 0)),
    }));
  }

  private chooseAmongTheRest(key: string, tried: Uint8Array | undefined, now: number): number | Refusal {
    const { states, out } = this;
    let impaired = false;
    let serving = false;
    for (let at = 0; at < states.length; at++) {
      const state = states[at]!;
      const left = this.isOut(state, now);
      serving ||= !left && state.weight > 0;
      impaired ||= left || (state.breaker?.open ?? false);
      out[at] = left || !this.hasRoom(state) || tried?.[at] ? 1 : 0;
    }
    this.impaired = impaired;
    const at = this.picker.pick(out, key);
    if (at >= 0) return at;
    // Nobody else is left: the same target again is better than none.
    if (tried) return this.chooseAmongTheRest(key, undefined, now);
    // What those who serve have no room for would only be failed by the others.
    return serving ? this.refusal(now) : this.chooseAmongTheOut(key, now);
  }

  private chooseAmongTheOut(key: string, now: number): number | Refusal {
    // One that was ejected passes its check, and has nobody left to be the worse one of.
    const ejected = this.chooseWhere(key, now, isWell);
    if (ejected >= 0) return ejected;
    // Checks that fail everywhere say more about the check than about the targets: then they are not heard.
    const unhealthy = this.chooseWhere(key, now, (state) => !isWell(state));
    return unhealthy >= 0 ? unhealthy : this.refusal(now);
  }

  /** @returns a target of that kind whose breaker lets a call through, ejected or not; -1: there is none. */
  private chooseWhere(key: string, now: number, isWanted: (state: TargetState) => boolean): number {
    const { states, out } = this;
    for (let at = 0; at < states.length; at++) {
      const state = states[at]!;
      out[at] = isWanted(state) && state.breaker?.admits(now) !== false && this.hasRoom(state) ? 0 : 1;
    }
    return this.picker.pick(out, key);
  }

  private hasRoom({ load, adaptive }: TargetState): boolean {
    return load < this.mostCalls && (adaptive === undefined || adaptive.hasRoom);
  }

  private isOut({ check, outlier, breaker }: TargetState, now: number): boolean {
    return (
      (check !== undefined && !check.healthy) ||
      (outlier !== undefined && outlier.ejectedUntil > now) ||
      (breaker !== undefined && !breaker.admits(now))
    );
  }

  private refusal(now: number): Refusal {
    const taking = this.states.filter(({ weight }) => weight > 0);
    if (taking.length === 0) return noTarget();
    if (taking.some((state) => !this.hasRoom(state) && !this.isOut(state, now)))
      return refuse('UPSTREAM_BUSY', {}, { reason: 'every target has as many calls as it may', retryAfterMs: 1_000 });
    const waits = taking.flatMap(({ breaker }) => (breaker?.open ? [breaker.wait(now)] : []));
    const retryAfterMs = Math.max(1_000, Math.min(...waits, 30_000));
    return refuse('UPSTREAM_UNHEALTHY', {}, { reason: 'the breaker of every target is open', retryAfterMs });
  }

  private sweep(now: number): void {
    this.nextSweep = now + SWEEP_MS;
    for (const change of this.detector!.sweep(now)) this.turn(change);
  }

  private turn(change: OutlierChange): void {
    const state = this.states[this.judged[change.at]!]!;
    if (change.change === 'returned') return this.tell(state, 'returned', 'its time is over');
    this.impaired = true;
    state.ejections++;
    this.tell(state, 'ejected', `${change.reason}; for ${Math.round(change.forMs / 1000)} s`);
  }

  private tell(state: TargetState, change: TargetChange['change'], reason: string): void {
    this.parts.onChange({ upstream: this.id, target: state.target.client.authority, change, reason });
  }
}

/** Least-loaded needs to know what is under way, so its calls are followed. */
function isLoadWanted({ balance }: SnapshotUpstream): boolean {
  return balance?.by === 'least-loaded';
}

/** Its check passes, or there is none. */
function isWell({ check }: TargetState): boolean {
  return check === undefined || check.healthy;
}

/** Whether it takes no calls for a reason other than its ejection. */
function isHeldBack(state: TargetState): boolean {
  return !isWell(state) || (state.breaker?.open ?? false);
}

function adopt(
  targets: readonly UpstreamTarget[],
  settings: SnapshotUpstream,
  parts: GroupParts,
  previous: UpstreamGroup | undefined,
): TargetState[] {
  const known = [...(previous?.states ?? [])];
  return targets.map((target) => {
    const at = known.findIndex(({ target: { url } }) => url === target.url);
    const state = at < 0 ? new TargetState(target) : known.splice(at, 1)[0]!;
    state.use(target, settings, parts);
    return state;
  });
}

function noTarget(): Refusal {
  return refuse('UPSTREAM_UNREACHABLE', {}, { reason: 'no target takes traffic' });
}

const NOTHING: Forwarding = { resume: () => undefined, abort: () => undefined };

function failed(owner: CallOwner, refusal: Refusal): Forwarding {
  owner.onFailure(refusal, 'connect');
  return NOTHING;
}
