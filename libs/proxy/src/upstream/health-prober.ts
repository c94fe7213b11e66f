import type { ActiveHealth, Refusal } from '@sallyport/contracts';
import type { Forwarding, ForwardSink } from '../forward';
import { isExpected } from './health-check';
import type { UpstreamGroup } from './upstream-group';
import type { TargetState } from './upstream-target';
import { verdictOfFailure } from './verdict';

const MOST_BYTES = 64 * 1024;

/** Asks each target of a group whether it is well, again and again, and tells the group. */
export class HealthProber {
  private readonly alarms = new Map<TargetState, () => void>();
  private readonly running = new Set<Forwarding>();
  private stopped = false;

  constructor(
    private readonly group: UpstreamGroup,
    private readonly settings: ActiveHealth,
  ) {}

  start(): void {
    const { random } = this.group.parts;
    // Spread out from the beginning: many upstreams, and many gateways, start in the same moment.
    for (const state of this.group.states) this.ring(state, random() * Math.min(1_000, this.settings.everyMs));
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.alarms.values()) cancel();
    this.alarms.clear();
    for (const forwarding of this.running) forwarding.abort();
    this.running.clear();
  }

  private ring(state: TargetState, ms: number): void {
    this.alarms.set(
      state,
      this.group.parts.timers.after(ms, () => this.ask(state)),
    );
  }

  private ask(state: TargetState): void {
    const { client } = state.target;
    const { everyMs, timeoutMs, path } = this.settings;
    let answered = false;
    let forwarding: Forwarding | undefined;
    const done = (good: boolean | undefined, reason: string): void => {
      if (answered || this.stopped) return;
      answered = true;
      cancel();
      if (forwarding) this.running.delete(forwarding);
      if (good !== undefined) this.group.checked(state, good, reason);
      this.ring(state, everyMs * (0.9 + 0.2 * this.group.parts.random()));
    };
    const cancel = this.group.parts.timers.after(timeoutMs, () => {
      const ours = forwarding?.heldUp === true;
      forwarding?.abort();
      done(ours ? undefined : false, `no answer to the check within ${timeoutMs} ms`);
    });
    forwarding = client.forward(
      {
        method: 'GET',
        path: state.target.basePath + path,
        fields: ['host', client.authority, 'user-agent', 'sallyport-health'],
        body: undefined,
        timeouts: { ...this.group.settings.timeouts, firstByteMs: timeoutMs, idleMs: timeoutMs },
      },
      this.sink(done, () => forwarding?.abort()),
    );
    if (!answered) this.running.add(forwarding);
  }

  /** @param done with undefined for what says nothing of the target */
  private sink(done: (good: boolean | undefined, reason: string) => void, abort: () => void): ForwardSink {
    let status = 0;
    let bytes = 0;
    const judged = () => done(isExpected(status, this.settings.expect), `the check was answered ${status}`);
    return {
      onHead: (given) => {
        status = given;
      },
      onData: (chunk) => {
        bytes += chunk.length;
        if (bytes <= MOST_BYTES) return true;
        abort();
        judged();
        return false;
      },
      onEnd: judged,
      onFailure: (refusal: Refusal) =>
        done(
          verdictOfFailure(refusal) === 'none' ? undefined : false,
          `the check failed: ${refusal.reason ?? refusal.code}`,
        ),
    };
  }
}
