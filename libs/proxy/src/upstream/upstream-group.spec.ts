import { PassThrough } from 'node:stream';
import { refuse } from '@sallyport/contracts';
import { broke, brokeOff, Owner, setup, status, Target, unreachable } from './scripted-group.suite';
import { UpstreamGroup } from './upstream-group';

describe('a group without settings', () => {
  it('hands a call to a target in its turn, and stays out of the way', () => {
    const { targets, call } = setup({});
    for (const target of targets) target.answer = status(503);
    const calls = [call(), call(), call()].map((owner) => owner.calls);
    expect(calls).toEqual(Array.from({ length: 3 }, () => ['head 503', 'end']));
    expect(targets.map(({ requests }) => requests)).toEqual([2, 1]);
  });

  it('says so when no target takes traffic', () => {
    const { parts, settings } = setup({});
    const client = new Target('http://a');
    const resting = new UpstreamGroup(settings, [{ url: 'http://a', weight: 0, basePath: '', client }], parts);
    const owner = new Owner();
    resting.call(owner);
    expect(owner.calls).toEqual(['UPSTREAM_UNREACHABLE connect']);
    expect(resting.available()).toBe(false);
  });
});

describe('a call that may be repeated', () => {
  const retry = {};

  it('goes to another target when the first cannot be reached, and its caller sees one answer', () => {
    const { time, targets, call } = setup({ retry });
    targets[0]!.answer = unreachable;
    targets[1]!.answer = status(200);
    const owner = call();
    expect(owner.calls).toEqual(['failed 1 a UPSTREAM_UNREACHABLE']);
    time.pass(250);
    expect(owner.calls.slice(1)).toEqual(['head 200', 'end']);
  });

  it('is made three times at most, and the last answer is the answer', () => {
    const { time, targets, call, group } = setup({ retry }, 1);
    targets[0]!.answer = status(503);
    const owner = call();
    time.pass(1_000);
    expect(targets[0]!.requests).toBe(3);
    expect(owner.calls).toEqual(['failed 1 a 503', 'failed 2 a 503', 'head 503', 'end']);
    expect(group.status()[0]).toMatchObject({ calls: 3, failures: 3, retries: 2, load: 0 });
    expect(time.waiting).toBe(0);
  });

  it('is not repeated when it may have been carried out and does something', () => {
    const { time, targets, call } = setup({ retry }, 1);
    const owner = new Owner();
    owner.repeatable = false;
    targets[0]!.answer = broke;
    call(owner);
    time.pass(1_000);
    expect(owner.calls).toEqual(['UPSTREAM_BROKE request']);
  });

  it('is repeated whatever it does when nothing of it was sent', () => {
    const { time, targets, call } = setup({ retry });
    const owner = new Owner();
    owner.repeatable = false;
    targets[0]!.answer = unreachable;
    targets[1]!.answer = status(201);
    call(owner);
    time.pass(250);
    expect(owner.calls.at(-2)).toBe('head 201');
  });

  it('is not repeated when its body is gone', () => {
    const { time, targets, call } = setup({ retry }, 1);
    const owner = new Owner();
    owner.replayable = false;
    targets[0]!.answer = unreachable;
    call(owner);
    time.pass(1_000);
    expect(targets[0]!.requests).toBe(1);
  });

  it('is never repeated after its caller has seen a byte', () => {
    const { time, targets, call } = setup({ retry });
    targets[0]!.answer = brokeOff;
    const owner = call();
    time.pass(1_000);
    expect(owner.calls).toEqual(['head 200', 'UPSTREAM_BROKE response']);
    expect(targets[1]!.requests).toBe(0);
  });

  it('waits as long as Retry-After asks, and is given up when that is too long', () => {
    const { time, targets, call } = setup({ retry });
    targets[0]!.answer = status(503, ['retry-after', '3']);
    targets[1]!.answer = status(503, ['retry-after', '60']);
    const owner = call();
    time.pass(2_999);
    expect(owner.calls).toEqual(['failed 1 a 503']);
    time.pass(1);
    expect(owner.calls.slice(1)).toEqual(['head 503', 'end']);
  });

  it.each([
    ['its route, which has less', 1_000, 5_000],
    ['its route, which has more', 1_000, 500],
  ])('keeps one deadline over all attempts, that of %s than the upstream', (_, route, upstream) => {
    const { time, targets, call } = setup({ retry: { on: ['broke'] }, timeouts: { firstByteMs: upstream } }, 1);
    const owner = new Owner();
    owner.timeouts.firstByteMs = route;
    call(owner);
    expect(targets[0]!.open[0]!.request.timeouts.firstByteMs).toBe(1_000);
    time.pass(900);
    targets[0]!.open[0]!.sink.onFailure(refuse('UPSTREAM_BROKE'), 'request');
    time.pass(75);
    const left = targets[0]!.open[1]!.request.timeouts.firstByteMs;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(100);
    targets[0]!.open[1]!.sink.onFailure(refuse('UPSTREAM_BROKE'), 'request');
    expect(owner.calls).toEqual(['failed 1 a UPSTREAM_BROKE', 'UPSTREAM_BROKE request']);
  });

  it('ends when the whole exchange takes too long, whatever it waits for', () => {
    const { time, targets, call } = setup({ timeouts: { totalMs: 500 } });
    const owner = call();
    time.pass(500);
    expect(owner.calls).toEqual(['UPSTREAM_TIMEOUT request']);
    expect(targets[0]!.open[0]!.aborted).toBe(true);
    expect(time.waiting).toBe(0);
  });

  it('costs no more than a fifth of the requests when everything fails', () => {
    const { time, targets, call } = setup({ retry });
    for (const target of targets) target.answer = broke;
    for (let n = 0; n < 1_000; n++) {
      call();
      time.pass(10);
    }
    time.pass(1_000);
    const sent = targets.reduce((sum, { requests }) => sum + requests, 0);
    expect(sent).toBeGreaterThan(1_150);
    expect(sent).toBeLessThanOrEqual(1_203);
  });

  it('stops when its caller leaves, also between two attempts', () => {
    const { time, targets, group } = setup({ retry }, 1);
    targets[0]!.answer = broke;
    const owner = new Owner();
    group.call(owner).abort();
    time.pass(1_000);
    expect([targets[0]!.requests, time.waiting, owner.calls.length]).toEqual([1, 0, 1]);
  });

  it('reads a small refused answer to its end, so that the connection lives, and cuts a large one', () => {
    const { time, targets, call } = setup({ retry }, 1);
    call();
    const { sink } = targets[0]!.open[0]!;
    sink.onHead(503, []);
    expect(sink.onData(Buffer.alloc(60_000))).toBe(true);
    expect(targets[0]!.open[0]!.aborted).toBe(false);
    sink.onData(Buffer.alloc(60_000));
    expect(targets[0]!.open[0]!.aborted).toBe(true);
    time.pass(250);
    expect(targets[0]!.requests).toBe(2);
  });
});

describe('a breaker in a group', () => {
  it('answers at once when every target is open, says how long, and lets one call each five seconds through', () => {
    const { time, targets, call, changes } = setup({ breaker: {} }, 1);
    targets[0]!.answer = unreachable;
    for (let n = 0; n < 5; n++) call();
    expect(changes.map(({ change }) => change)).toEqual(['opened']);
    const held = call();
    expect(held.calls).toEqual(['UPSTREAM_UNHEALTHY connect']);
    expect(held.refusal!.retryAfterMs).toBe(5_000);
    time.pass(5_000);
    call();
    call();
    expect(targets[0]!.requests).toBe(6);
    time.pass(5_000);
    targets[0]!.answer = status(200);
    expect(call().calls).toEqual(['head 200', 'end']);
    expect(changes.at(-1)!.change).toBe('closed');
    expect(call().calls).toEqual(['head 200', 'end']);
  });

  it('sends calls to the others meanwhile', () => {
    const { targets, call } = setup({ breaker: {} });
    targets[0]!.answer = status(503);
    targets[1]!.answer = status(200);
    for (let n = 0; n < 20; n++) call();
    expect(targets.map(({ requests }) => requests)).toEqual([5, 15]);
  });
});

describe('a slow or vanishing caller (rel-T26)', () => {
  const judging = { breaker: {}, health: { ejection: { consecutive: 5 } } };
  const failuresOf = ({ group }: ReturnType<typeof setup>) => group.status().map(({ failures }) => failures);

  it('is not held against a target that waited for its body and closed the connection', () => {
    const made = setup(judging);
    for (const target of made.targets) target.heldUp = true;
    for (let n = 0; n < 20; n++) made.call();
    made.time.pass(5_000);
    for (const { sink } of made.targets.flatMap(({ open }) => open)) broke(sink);
    expect([made.changes, failuresOf(made)]).toEqual([[], [0, 0]]);
  });

  it('hides nothing of a target that breaks uploads off at once', () => {
    const made = setup(judging, 1);
    made.targets[0]!.heldUp = true;
    for (let n = 0; n < 5; n++) made.call();
    for (const { sink } of made.targets[0]!.open) broke(sink);
    expect(made.changes).toMatchObject([{ change: 'opened' }]);
  });

  it('is not held against a target when the time of the whole is over before its body is', () => {
    const made = setup({ ...judging, timeouts: { totalMs: 2_000 } });
    for (const target of made.targets) target.heldUp = true;
    const owners = Array.from({ length: 20 }, () => made.call());
    made.time.pass(2_000);
    expect(owners.every(({ refusal }) => refusal?.code === 'UPSTREAM_TIMEOUT')).toBe(true);
    expect([made.changes, failuresOf(made)]).toEqual([[], [0, 0]]);
  });

  it('makes no target look slow, since the time of an answer counts from the last byte of the request', async () => {
    const made = setup({ hedge: {} }, 1);
    const measured: number[] = [];
    made.group.latencies!.add = (ms) => void measured.push(ms);
    const body = new PassThrough();
    made.call(new Owner(body));
    made.time.pass(60_000);
    body.end();
    body.resume();
    await new Promise((resolve) => body.once('end', resolve));
    made.time.pass(30);
    status(200)(made.targets[0]!.open[0]!.sink);
    const early = new PassThrough();
    made.call(new Owner(early));
    made.time.pass(60_000);
    status(200)(made.targets[0]!.open[1]!.sink);
    expect(measured).toEqual([30]);
  });

  it('takes connections from the next one, which is told so and not held against a target', () => {
    const made = setup(judging);
    for (const target of made.targets) target.answer = (sink) => sink.onFailure(refuse('UPSTREAM_BUSY'), 'connect');
    for (let n = 0; n < 20; n++) made.call();
    expect([made.changes, failuresOf(made)]).toEqual([[], [0, 0]]);
  });

  it('does not fail the check of a target that waits for a connection others hold', () => {
    const made = setup({ health: { active: { path: '/up', everyMs: 1_000, timeoutMs: 100 } } });
    made.targets[0]!.heldUp = true;
    made.targets[1]!.answer = (sink) => sink.onFailure(refuse('UPSTREAM_BUSY'), 'connect');
    made.group.start();
    made.time.pass(10_000);
    made.group.stop();
    expect(made.changes).toEqual([]);
    expect(made.targets.every(({ requests }) => requests >= 9)).toBe(true);
  });
});

describe('limits of a target', () => {
  it('refuse what is more than it may have, and take the next one again', () => {
    const { targets, call } = setup({ limits: { requests: 2 } }, 1);
    call();
    call();
    const third = call();
    expect(third.calls).toEqual(['UPSTREAM_BUSY connect']);
    status(200)(targets[0]!.open[0]!.sink);
    expect(call().calls).toEqual([]);
    expect(targets[0]!.requests).toBe(3);
  });

  it('send to another target what one may not have', () => {
    const { targets, call } = setup({ limits: { requests: 1 }, balance: { by: 'hash' } });
    call();
    call();
    expect(targets.map(({ requests }) => requests)).toEqual([1, 1]);
  });
});

describe('an adaptive limit of a target', () => {
  const adaptive = { least: 2, most: 10, initial: 2 };
  const placesOf = ({ group }: ReturnType<typeof setup>) => group.states[0]!.adaptive!.inFlight;

  it('refuses what is beyond it at once, and has the place again when the answer begins', () => {
    const made = setup({ adaptive }, 1);
    const owners = [made.call(), made.call(), made.call()];
    expect(owners.map(({ calls }) => calls)).toEqual([[], [], ['UPSTREAM_BUSY connect']]);
    expect(owners[2]!.refusal!.retryAfterMs).toBe(1_000);
    made.targets[0]!.open[0]!.sink.onHead(200, []);
    expect([placesOf(made), made.call().calls]).toEqual([1, []]);
    expect(placesOf(made)).toBe(2);
  });

  it('has every place again, whichever way a call ends', () => {
    const made = setup({ adaptive: { ...adaptive, initial: 10 }, timeouts: { totalMs: 100 } }, 1);
    const { group, targets, time, call } = made;
    group.call(new Owner()).abort();
    for (const end of [status(200), status(503), broke, unreachable]) {
      call();
      end(targets[0]!.open.at(-1)!.sink);
    }
    const body = new PassThrough();
    group.call(new Owner(body)).abort();
    call();
    expect(placesOf(made)).toBe(1);
    time.pass(100);
    expect(placesOf(made)).toBe(0);
  });

  it('gives no place to a caller who is still sending', async () => {
    const made = setup({ adaptive }, 1);
    const body = new PassThrough();
    const owner = made.call(new Owner(body));
    expect([owner.calls, placesOf(made)]).toEqual([[], 0]);
    body.end();
    body.resume();
    await new Promise((resolve) => body.once('end', resolve));
    expect(placesOf(made)).toBe(1);
  });

  it('falls when the target becomes slower', () => {
    const made = setup({ adaptive: { least: 2, most: 60, initial: 50 } }, 1);
    const rounds = (ms: number): void => {
      for (let round = 0; round < 5; round++) {
        for (let n = 0; n < 50; n++) made.call();
        made.time.pass(ms);
        for (const { sink } of made.targets[0]!.open.splice(0)) status(200)(sink);
      }
    };
    rounds(300);
    const before = made.group.states[0]!.adaptive!.limit;
    rounds(3_000);
    expect(made.group.states[0]!.adaptive!.limit).toBeLessThan(before / 2);
  });

  it('goes on in the next revision, within its bounds', () => {
    const made = setup({ adaptive }, 1);
    made.call();
    const settings = { ...made.settings, adaptive: { ...made.settings.adaptive!, most: 1, least: 1 } };
    const next = new UpstreamGroup(settings, made.made, made.parts, made.group);
    const owner = new Owner();
    next.call(owner);
    expect(owner.calls).toEqual(['UPSTREAM_BUSY connect']);
    status(200)(made.targets[0]!.open[0]!.sink);
    expect(next.available()).toBe(true);
  });
});

describe('ejection in a group', () => {
  it('takes half of the targets out at most, although all fail', () => {
    const { targets, call, changes, time, group } = setup({ health: { ejection: {} } }, 3);
    for (const target of targets) target.answer = status(500);
    for (let n = 0; n < 60; n++) {
      call();
      time.pass(100);
    }
    expect(changes.map(({ change }) => change)).toEqual(['ejected']);
    expect(group.status().filter(({ standing }) => standing === 'ejected')).toHaveLength(1);
  });

  it('takes the one out that lags behind, and brings it back', () => {
    const { targets, call, changes, time } = setup({ health: { ejection: { latencyForMs: 3_000 } } }, 3);
    for (let n = 0; n < 80; n++) {
      call();
      time.pass(50);
      for (const [at, target] of targets.entries()) {
        for (const one of target.open.splice(0)) {
          if (at !== 2) status(200)(one.sink);
          else time.timers.after(2_000, () => status(200)(one.sink));
        }
      }
      time.pass(50);
    }
    expect(changes).toMatchObject([{ target: 'c', change: 'ejected' }]);
    const before = targets[2]!.requests;
    call();
    call();
    expect(targets[2]!.requests).toBe(before);
    time.pass(30_000);
    call();
    expect(changes.at(-1)).toMatchObject({ target: 'c', change: 'returned' });
  });
});

describe('a group in which targets are out for more than one reason', () => {
  const active = { path: '/h' };
  const reject = ({ group }: ReturnType<typeof setup>, at: number): void => {
    for (let n = 0; n < 3; n++) group.checked(group.states[at]!, false, 'dead');
  };

  it('keeps the one in whose check passes, although its calls fail for a while', () => {
    const made = setup({ health: { ejection: {}, active } });
    const { targets, call, changes } = made;
    reject(made, 0);
    targets[0]!.answer = unreachable;
    targets[1]!.answer = status(503);
    for (let n = 0; n < 5; n++) call();
    targets[1]!.answer = status(200);
    const answers = Array.from({ length: 10 }, () => call().calls[0]);
    expect([new Set(answers), changes.length]).toEqual([new Set(['head 200']), 1]);
  });

  it('keeps the one in whose breaker is closed', () => {
    const { targets, call, changes } = setup({ breaker: { percent: 0 }, health: { ejection: { consecutive: 0 } } });
    targets[0]!.answer = unreachable;
    targets[1]!.answer = status(200);
    for (let n = 0; n < 12; n++) call();
    targets[1]!.answer = status(500);
    for (let n = 0; n < 40; n++) call();
    expect(changes).toMatchObject([{ target: 'a', change: 'opened' }]);
  });

  it('calls one that was ejected and passes its check rather than one that fails its check', () => {
    const made = setup({ health: { ejection: {}, active } });
    const { targets, call, changes } = made;
    targets[0]!.answer = status(200);
    targets[1]!.answer = status(503);
    for (let n = 0; n < 10; n++) call();
    targets[0]!.answer = unreachable;
    targets[1]!.answer = status(200);
    reject(made, 0);
    expect(changes).toMatchObject([{ change: 'ejected' }, { change: 'unhealthy' }]);
    expect(Array.from({ length: 4 }, () => call().calls[0])).toEqual(Array(4).fill('head 200'));
  });

  it('does not call them for want of room with those who serve', () => {
    const made = setup({ limits: { requests: 1 }, health: { active } });
    reject(made, 1);
    made.call();
    expect(made.call().calls).toEqual(['UPSTREAM_BUSY connect']);
  });
});

describe('checks of a group', () => {
  const active = { path: '/up', everyMs: 1_000, timeoutMs: 100 };

  it('take a target out after three bad answers, and back after two good ones', () => {
    const { targets, group, time, call, changes } = setup({ health: { active } });
    targets[0]!.answer = status(500);
    targets[1]!.answer = status(204);
    group.start();
    time.pass(5_000);
    expect(changes).toMatchObject([{ target: 'a', change: 'unhealthy', reason: 'the check was answered 500' }]);
    const before = targets[0]!.requests;
    for (let n = 0; n < 10; n++) call();
    expect(targets[0]!.requests).toBe(before);
    targets[0]!.answer = status(200);
    time.pass(3_000);
    expect(changes.at(-1)).toMatchObject({ target: 'a', change: 'healthy' });
    group.stop();
    expect(time.waiting).toBe(0);
  });

  it('count an answer that does not come as a bad one', () => {
    const { targets, group, time, changes } = setup({ health: { active } }, 1);
    group.start();
    time.pass(5_000);
    expect(changes).toMatchObject([{ change: 'unhealthy', reason: 'no answer to the check within 100 ms' }]);
    expect(targets[0]!.open.slice(0, -1).every(({ aborted }) => aborted)).toBe(true);
    group.stop();
  });

  it('are not heard when they fail everywhere: it is more likely the check than every target', () => {
    const { targets, group, time, call } = setup({ health: { active } });
    for (const target of targets) target.answer = status(404);
    group.start();
    time.pass(6_000);
    for (const target of targets) target.answer = status(200);
    expect(call().calls).toEqual(['head 200', 'end']);
    group.stop();
  });
});

describe('hedging', () => {
  const hedge = { afterMs: 100 };

  function primed() {
    const made = setup({ hedge });
    for (const target of made.targets) target.answer = status(200);
    for (let n = 0; n < 40; n++) made.call();
    for (const target of made.targets) {
      target.answer = undefined;
      target.open.length = 0;
    }
    return made;
  }

  it('asks a second target after a while, takes the first answer and leaves the other call', () => {
    const { targets, call, time } = primed();
    const owner = call();
    time.pass(99);
    expect(targets[1]!.open).toHaveLength(0);
    time.pass(1);
    expect(targets[1]!.open).toHaveLength(1);
    status(200)(targets[1]!.open[0]!.sink);
    expect(targets[0]!.open[0]!.aborted).toBe(true);
    expect(owner.calls).toEqual(['head 200', 'end']);
  });

  it('makes no second call of what must not be done twice', () => {
    const { targets, call, time } = primed();
    const owner = new Owner();
    owner.repeatable = false;
    call(owner);
    time.pass(1_000);
    expect(targets[1]!.open).toHaveLength(0);
  });

  it('makes no more than one call in twenty', () => {
    const { targets, call, time } = primed();
    for (let n = 0; n < 60; n++) {
      call();
      time.pass(110);
      for (const { open } of targets) for (const one of open.splice(0)) if (!one.aborted) status(200)(one.sink);
    }
    const sent = targets.reduce((sum, { requests }) => sum + requests, 0);
    expect(sent).toBeGreaterThan(100);
    expect(sent).toBeLessThanOrEqual(105);
  });

  it('waits for the other answer when one of the two fails', () => {
    const { targets, call, time } = primed();
    const owner = call();
    time.pass(100);
    broke(targets[0]!.open[0]!.sink);
    status(200)(targets[1]!.open[0]!.sink);
    expect(owner.calls).toEqual(['failed 1 a UPSTREAM_BROKE', 'head 200', 'end']);
  });
});

describe('a new revision', () => {
  it('keeps what is known of a target whose URL stays', () => {
    const { targets, call, settings, made, parts, group } = setup({ breaker: {} });
    targets[0]!.answer = status(503);
    targets[1]!.answer = status(200);
    for (let n = 0; n < 10; n++) call();
    const next = new UpstreamGroup(settings, [made[1]!, made[0]!], parts, group);
    expect(next.status().map(({ url, standing }) => [url, standing])).toEqual([
      ['http://b', 'serving'],
      ['http://a', 'open'],
    ]);
  });
});
