import type { PassThrough } from 'node:stream';
import { refuse, snapshotUpstream, type Refusal, type SnapshotUpstream } from '@sallyport/contracts';
import type { Forwarding, ForwardPhase, ForwardSink, UpstreamClient, UpstreamRequest } from '../forward';
import type { RawFields } from '../raw-fields';
import type { CallOwner } from './upstream-call';
import { UpstreamGroup, type TargetChange } from './upstream-group';
import type { UpstreamTarget } from './upstream-target';

/** Time that passes when it is told to, and rings alarms on its way. */
export class Time {
  private ms = 1_000;
  private alarms: { at: number; ring: () => void }[] = [];
  readonly clock = { now: () => this.ms, monotonic: () => this.ms };
  readonly timers = {
    after: (ms: number, ring: () => void) => {
      const alarm = { at: this.ms + ms, ring };
      this.alarms.push(alarm);
      return () => void (this.alarms = this.alarms.filter((one) => one !== alarm));
    },
  };

  get waiting(): number {
    return this.alarms.length;
  }

  pass(ms: number): void {
    const until = this.ms + ms;
    for (;;) {
      const next = this.alarms.filter(({ at }) => at <= until).sort((left, right) => left.at - right.at)[0];
      if (!next) break;
      this.alarms = this.alarms.filter((one) => one !== next);
      this.ms = Math.max(this.ms, next.at);
      next.ring();
    }
    this.ms = until;
  }
}

/** A target that answers when it is told to. */
export class Target implements UpstreamClient {
  readonly authority: string;
  readonly open: { request: UpstreamRequest; sink: ForwardSink; aborted: boolean }[] = [];
  requests = 0;
  /** Its exchanges wait for what is not the target's to give. */
  heldUp = false;
  /** Answers at once. */
  answer: ((sink: ForwardSink) => void) | undefined;

  constructor(readonly origin: string) {
    this.authority = new URL(origin).host;
  }

  forward(request: UpstreamRequest, sink: ForwardSink): Forwarding {
    this.requests++;
    const exchange = { request, sink, aborted: false };
    this.open.push(exchange);
    this.answer?.(sink);
    return {
      heldUp: this.heldUp,
      resume: () => undefined,
      abort: () => void (exchange.aborted = true),
    };
  }
}

export const status =
  (code: number, fields: RawFields = []) =>
  (sink: ForwardSink): void => {
    sink.onHead(code, fields);
    sink.onEnd();
  };
export const unreachable = (sink: ForwardSink): void => sink.onFailure(refuse('UPSTREAM_UNREACHABLE'), 'connect');
export const brokeOff = (sink: ForwardSink): void => {
  sink.onHead(200, []);
  sink.onFailure(refuse('UPSTREAM_BROKE'), 'response');
};
export const broke = (sink: ForwardSink): void => sink.onFailure(refuse('UPSTREAM_BROKE'), 'request');

/** A caller that notes what it is told. */
export class Owner implements CallOwner {
  repeatable = true;
  replayable = true;
  timeouts = { connectMs: 1_000, firstByteMs: 15_000, idleMs: 1_000 };
  /** Takes more of an answer at once. */
  reads = true;
  readonly calls: string[] = [];
  refusal: Refusal | undefined;

  constructor(private readonly body?: PassThrough) {}

  requestFor(target: UpstreamTarget): UpstreamRequest {
    const { body, timeouts } = this;
    return { method: 'GET', path: '/', fields: ['host', target.client.authority], body, timeouts };
  }

  attemptFailed(target: UpstreamTarget, attempt: number, code: number, refusal: Refusal | undefined): void {
    this.calls.push(`failed ${attempt} ${target.client.authority} ${refusal?.code ?? code}`);
  }

  onHead(code: number): void {
    this.calls.push(`head ${code}`);
  }

  onData(): boolean {
    return this.reads;
  }

  onEnd(): void {
    this.calls.push('end');
  }

  onFailure(refusal: Refusal, phase: ForwardPhase): void {
    this.refusal = refusal;
    this.calls.push(`${refusal.code} ${phase}`);
  }
}

const ORIGINS = ['http://a', 'http://b', 'http://c'];

/** A group of targets `a`, `b` and `c`, as many as `size` says. */
export function setup(more: object, size = 2, time = new Time()) {
  const targets = ORIGINS.slice(0, size).map((origin) => new Target(origin));
  const changes: TargetChange[] = [];
  const settings: SnapshotUpstream = snapshotUpstream.parse({
    id: 'orders',
    tenant: 'default',
    name: 'orders',
    targets: targets.map(({ origin }) => ({ url: origin })),
    timeouts: {},
    allowPrivate: true,
    ...more,
  });
  const parts = {
    clock: time.clock,
    timers: time.timers,
    random: () => 0.5,
    onChange: (change: TargetChange) => void changes.push(change),
  };
  const made = targets.map((client): UpstreamTarget => ({ url: client.origin, weight: 1, basePath: '', client }));
  const group = new UpstreamGroup(settings, made, parts);
  const call = (owner = new Owner()): Owner => {
    group.call(owner);
    return owner;
  };
  return { time, targets, group, call, changes, settings, made, parts };
}
