import { array, assert, constant, constantFrom, nat, oneof, property, record } from 'fast-check';
import { refuse } from '@sallyport/contracts';
import type { ForwardSink } from '../forward';
import { broke, Owner, setup, status, unreachable, type Target } from './scripted-group.suite';

describe('a call that is both repeated and hedged', () => {
  it('sends nothing and says nothing after its caller has left, whatever it waited for', () => {
    const { targets, group, time } = setup({ hedge: { afterMs: 100 }, retry: {} });
    const owner = new Owner();
    const forwarding = group.call(owner);
    status(503, ['retry-after', '3'])(targets[0]!.open[0]!.sink);
    time.pass(150);
    forwarding.abort();
    time.pass(5_000);
    expect(targets.map(({ requests }) => requests)).toEqual([1, 0]);
    expect([owner.calls, time.waiting]).toEqual([['failed 1 a 503'], 0]);
  });

  it('leaves the first call when the second target fails before it could be waited for', () => {
    const { targets, group, time } = setup({ hedge: { afterMs: 100 } });
    for (const target of targets) target.answer = status(200);
    for (let n = 0; n < 40; n++) group.call(new Owner());
    targets[0]!.answer = undefined;
    targets[1]!.answer = (sink) => sink.onFailure(refuse('INTERNAL'), 'request');
    const owner = new Owner();
    group.call(owner);
    time.pass(100);
    expect(owner.calls).toEqual(['INTERNAL request']);
    expect([targets[0]!.open.at(-1)!.aborted, group.states[0]!.load]).toEqual([true, 0]);
  });
});

/** What a target does with one of its exchanges, as far as an exchange may go. */
type Step = 'head 200' | 'head 503' | 'data' | 'end' | 'break' | 'unreachable' | 'busy';

/** Takes exchanges through the steps that the order of a sink allows; those that were left take none. */
class Exchanges {
  private readonly begun = new Set<ForwardSink>();
  private readonly over = new Set<ForwardSink>();

  constructor(private readonly targets: readonly Target[]) {}

  /** @param at which of those that can still be answered; none: nothing happens */
  take(step: Step, at: number): void {
    const open = this.targets
      .flatMap((target) => target.open)
      .filter(({ aborted, sink }) => !aborted && !this.over.has(sink));
    if (open.length > 0) this.step(step, open[at % open.length]!.sink);
  }

  step(step: Step, sink: ForwardSink): void {
    const begun = this.begun.has(sink);
    if (step === 'head 200' || step === 'head 503') {
      if (begun) return;
      this.begun.add(sink);
      return sink.onHead(Number(step.slice(5)), ['retry-after', '1']);
    }
    if (step === 'data') return void (begun && sink.onData(Buffer.alloc(1_000)));
    if (step === 'end' && !begun) return;
    if ((step === 'unreachable' || step === 'busy') && begun) return;
    this.over.add(sink);
    if (step === 'end') sink.onEnd();
    else if (step === 'unreachable') unreachable(sink);
    else if (step === 'busy') sink.onFailure(refuse('UPSTREAM_BUSY'), 'connect');
    else if (begun) sink.onFailure(refuse('UPSTREAM_BROKE'), 'response');
    else broke(sink);
  }

  finish(): void {
    for (const { sink } of this.targets.flatMap((target) => target.open.filter(({ aborted }) => !aborted)))
      if (!this.over.has(sink)) this.step('break', sink);
  }
}

describe('any call to a group', () => {
  const steps = constantFrom<Step>('head 200', 'head 503', 'data', 'end', 'break', 'unreachable', 'busy');
  const event = oneof(
    record({ step: steps, at: nat(3) }),
    record({ pass: constantFrom(30, 70, 300, 1_500) }),
    record({ abort: constant(true) }),
    record({ atOnce: steps, of: nat(2) }),
  );
  const settings = {
    hedge: { afterMs: 50 },
    retry: { on: ['connect', 'broke', '503'] },
    breaker: {},
    health: { ejection: {} },
    adaptive: {},
  };

  it('has one answer at most, is silent and sends nothing once it is over, and leaves nothing behind', () => {
    assert(
      property(array(event, { maxLength: 10 }), (events) => {
        const { targets, group, time } = setup(settings, 3);
        for (const target of targets) target.answer = status(200);
        for (let n = 0; n < 40; n++) group.call(new Owner());
        for (const target of targets) {
          target.answer = undefined;
          target.open.length = 0;
        }
        const exchanges = new Exchanges(targets);
        const requests = (): number => targets.reduce((sum, target) => sum + target.requests, 0);
        const owner = new Owner();
        const forwarding = group.call(owner);
        let over: { calls: number; requests: number } | undefined;
        const look = (): void => {
          const answers = owner.calls.filter((call) => !call.startsWith('failed'));
          expect(answers.filter((call) => call.startsWith('head')).length).toBeLessThanOrEqual(1);
          const last = answers.findIndex((call) => !call.startsWith('head'));
          if (last >= 0) expect(last).toBe(answers.length - 1);
          if (over) expect({ calls: owner.calls.length, requests: requests() }).toEqual(over);
          else if (last >= 0) over = { calls: owner.calls.length, requests: requests() };
        };
        for (const one of events) {
          if ('pass' in one) time.pass(one.pass);
          else if ('step' in one) exchanges.take(one.step, one.at);
          else if ('atOnce' in one) targets[one.of]!.answer = (sink) => exchanges.step(one.atOnce, sink);
          else {
            forwarding.abort();
            over ??= { calls: owner.calls.length, requests: requests() };
          }
          look();
        }
        for (let n = 0; n < 5; n++) {
          exchanges.finish();
          time.pass(10_000);
          look();
        }
        expect(group.states.map(({ load, adaptive }) => [load, adaptive!.inFlight])).toEqual([
          [0, 0],
          [0, 0],
          [0, 0],
        ]);
        expect(time.waiting).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
