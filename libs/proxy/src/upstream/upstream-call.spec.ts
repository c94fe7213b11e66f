import { array, assert, constant, constantFrom, nat, oneof, property, record } from 'fast-check';
import { refuse } from '@sallyport/contracts';
import type { ForwardSink } from '../forward';
import { broke, brokeOff, Owner, setup, status, unreachable, type Target } from './scripted-group.suite';

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

describe('a target that breaks its answers off', () => {
  const judging = { breaker: {}, health: { ejection: {} } };

  it('is held back and ejected, although each of them begins well', () => {
    const { targets, call, changes, group } = setup(judging);
    targets[0]!.answer = brokeOff;
    targets[1]!.answer = status(200);
    for (let n = 0; n < 20; n++) call();
    expect(changes).toMatchObject([
      { target: 'a', change: 'opened' },
      { target: 'a', change: 'ejected' },
    ]);
    expect(group.status()[0]).toMatchObject({ calls: 5, failures: 5, load: 0 });
  });

  it('is held back when it breaks most of them off', () => {
    const { targets, call, changes } = setup({ breaker: { consecutive: 0 } }, 1);
    for (let n = 0; n < 30; n++) {
      targets[0]!.answer = n % 3 === 0 ? status(200) : brokeOff;
      call();
    }
    expect(changes).toMatchObject([{ change: 'opened' }]);
  });

  it('is not held back for answers that have been on their way for long, and they are counted', () => {
    const { targets, call, changes, group, time } = setup(judging, 1);
    for (let n = 0; n < 20; n++) call();
    const sinks = targets[0]!.open.map(({ sink }) => sink);
    for (const sink of sinks) sink.onHead(200, []);
    time.pass(5_000);
    for (const sink of sinks) sink.onData(Buffer.from('still here'));
    for (const sink of sinks) sink.onFailure(refuse('UPSTREAM_BROKE'), 'response');
    expect(changes).toEqual([]);
    expect(group.status()[0]).toMatchObject({ failures: 20, load: 0 });
  });

  it('is not said to be well by the probe it breaks off', () => {
    const { targets, call, changes, time, group } = setup({ breaker: {} }, 1);
    targets[0]!.answer = brokeOff;
    for (let n = 0; n < 5; n++) call();
    time.pass(5_000);
    call();
    expect(changes).toMatchObject([{ change: 'opened' }]);
    expect([group.status()[0]!.standing, time.waiting]).toEqual(['open', 0]);
  });
});

describe('a probe that is answered', () => {
  /** Opened, with the head of a good answer to its probe. */
  function probed() {
    const made = setup({ breaker: {} }, 1);
    const [target] = made.targets as [Target];
    target.answer = unreachable;
    for (let n = 0; n < 5; n++) made.call();
    made.time.pass(5_000);
    target.answer = undefined;
    const forwarding = made.group.call(new Owner());
    const { sink } = target.open.at(-1)!;
    sink.onHead(200, []);
    return { ...made, sink, forwarding, standing: () => made.group.status()[0]!.standing };
  }

  it('lets all through again at the end of the answer', () => {
    const { sink, standing, time } = probed();
    expect(standing()).toBe('open');
    sink.onEnd();
    expect([standing(), time.waiting]).toEqual(['serving', 0]);
  });

  it('does so when the answer takes long, although nothing more of it has come', () => {
    const { standing, time, forwarding, group } = probed();
    time.pass(4_999);
    expect(standing()).toBe('open');
    time.pass(1);
    expect(standing()).toBe('serving');
    forwarding.abort();
    expect([group.status()[0]!.load, time.waiting]).toEqual([0, 0]);
  });

  it('does so when its caller leaves in the middle of the answer', () => {
    const { standing, time, forwarding } = probed();
    forwarding.abort();
    expect([standing(), time.waiting]).toEqual(['serving', 0]);
  });
});

interface Answered {
  readonly sink: ForwardSink;
  readonly owner: Owner;
  readonly leave: () => void;
  readonly resume: () => void;
  readonly waits: (ms: number) => void;
}

describe('a caller', () => {
  const judging = { breaker: {}, health: { ejection: {} } };
  const late = refuse('UPSTREAM_TIMEOUT', { seconds: 1 });

  /** Makes twenty calls whose answers begin well, and ends them in some way. */
  function ended(end: (call: Answered) => void, heldUp = false) {
    const made = setup(judging);
    for (const target of made.targets) target.heldUp = heldUp;
    for (let n = 0; n < 20; n++) {
      const owner = new Owner();
      const forwarding = made.group.call(owner);
      const [exchange] = made.targets.flatMap(({ open }) => open.splice(0));
      // Both are held back: there is nobody left to blame.
      if (!exchange) break;
      const { sink } = exchange;
      sink.onHead(200, []);
      const waits = (ms: number): void => made.time.pass(ms);
      end({ sink, owner, leave: () => forwarding.abort(), resume: () => forwarding.resume(), waits });
    }
    return [made.changes.map(({ change }) => change), made.group.status().map(({ failures, load }) => failures + load)];
  }
  const blamed = [
    ['opened', 'ejected', 'opened'],
    [5, 5],
  ];
  const spared = [[], [0, 0]];

  it('who leaves in the middle of an answer is not held against a target', () => {
    expect(ended(({ leave }) => leave())).toEqual(spared);
  });

  it('who still sends when an early answer stalls is not held against a target, unless it has sent all', () => {
    expect(ended(({ sink }) => sink.onFailure(late, 'response'), true)).toEqual(spared);
    expect(ended(({ sink }) => sink.onFailure(late, 'response'))).toEqual(blamed);
  });

  it('who reads slowly is not held against a target that has had enough of it', () => {
    const readsFor = (ms: number) =>
      ended(({ sink, owner, resume, waits }) => {
        owner.reads = false;
        sink.onData(Buffer.from('a'));
        waits(ms);
        resume();
        sink.onFailure(refuse('UPSTREAM_BROKE'), 'response');
      });
    expect(readsFor(1_000)).toEqual(spared);
    expect(readsFor(10)).toEqual(blamed);
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
