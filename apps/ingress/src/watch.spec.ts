import type { Refusal } from '@sallyport/contracts';
import { defaultBounds, defaultListenerLimits, type Bounds } from '@sallyport/proxy';
import { someRoute } from '@sallyport/testkit';
import type { Exchange } from './exchange';
import { ExchangeWatch } from './watch';

/** As much of an exchange as is looked at. */
function someExchange(bounds: Partial<Bounds> = {}) {
  return {
    over: false,
    watched: undefined,
    bounds: { ...defaultBounds, ...bounds },
    compiled: { route: someRoute({ limits: bounds }) },
    connection: { limits: defaultListenerLimits },
    reading: undefined as { isAwaited: boolean; bytesRead: number } | undefined,
    incoming: { socket: { _bytesDispatched: 0, _handle: { writeQueueSize: 0 } } },
    response: { destroy: jest.fn() },
    answer: {
      status: 0,
      bytes: 0,
      isSwitched: false,
      isPending: false,
      takesEvents: false,
      comment: jest.fn(),
      destroy: jest.fn(),
    },
  };
}

function watching(exchange: ReturnType<typeof someExchange>) {
  let now = 1_000_000;
  const refused: [string, Refusal['params']][] = [];
  const watch = new ExchangeWatch(
    new Set([exchange as unknown as Exchange]),
    {
      clock: { now: () => 0, monotonic: () => now },
      refuse: (_, refusal) => {
        refused.push([refusal.code, refusal.params]);
        exchange.over = true;
      },
    },
    1_000,
  );
  return {
    refused,
    /** Looks once a second. */
    pass(seconds: number, meanwhile: (second: number) => void = () => undefined) {
      for (let second = 0; second < seconds; second++) {
        watch.look();
        now += 1_000;
        meanwhile(second);
      }
      watch.look();
    },
    close: () => watch.close(),
  };
}

describe('a body that comes in', () => {
  it('slower than its rate is refused within a window', () => {
    const exchange = someExchange();
    exchange.reading = { isAwaited: true, bytesRead: 0 };
    const { pass, refused } = watching(exchange);
    pass(5, () => (exchange.reading!.bytesRead += 1_000));
    expect(refused).toEqual([['REQUEST_TIMEOUT', { seconds: 5 }]]);
  });

  it('at its rate may come for as long as a whole request may', () => {
    const exchange = someExchange();
    exchange.reading = { isAwaited: true, bytesRead: 0 };
    const { pass, refused } = watching(exchange);
    pass(29, () => (exchange.reading!.bytesRead += 1_030));
    expect(refused).toEqual([]);
    pass(1);
    expect(refused).toEqual([['REQUEST_TIMEOUT', { seconds: 30 }]]);
  });

  it('may come for longer, and more slowly, where the route says so', () => {
    const exchange = someExchange({ requestSeconds: 300, uploadBytesPerSecond: 0 });
    exchange.reading = { isAwaited: true, bytesRead: 0 };
    const { pass, refused } = watching(exchange);
    pass(299);
    expect(refused).toEqual([]);
  });

  it('is not slow while nobody takes what has come', () => {
    const exchange = someExchange();
    exchange.reading = { isAwaited: false, bytesRead: 0 };
    const { pass, refused } = watching(exchange);
    pass(100);
    expect(refused).toEqual([]);
  });
});

describe('an answer that goes out', () => {
  const answering = (bounds: Partial<Bounds> = {}) => {
    const exchange = someExchange(bounds);
    exchange.answer.status = 200;
    return exchange;
  };

  it('is cut where it is read more slowly than a minute allows', () => {
    const exchange = answering();
    exchange.answer.isPending = true;
    const { pass } = watching(exchange);
    pass(60, () => (exchange.incoming.socket._bytesDispatched += 1_000));
    expect(exchange.answer.destroy).toHaveBeenCalled();
  });

  it('is not cut where it is read fast enough, or where there is nothing to read', () => {
    const exchange = answering({ streamSeconds: 86_400 });
    exchange.answer.isPending = true;
    const { pass } = watching(exchange);
    pass(180, () => (exchange.incoming.socket._bytesDispatched += 1_030));
    exchange.answer.isPending = false;
    pass(180);
    expect(exchange.answer.destroy).not.toHaveBeenCalled();
  });

  it('counts as read what the kernel has taken, not what waits for it', () => {
    const exchange = answering();
    exchange.answer.isPending = true;
    exchange.incoming.socket._bytesDispatched = 500_000;
    exchange.incoming.socket._handle.writeQueueSize = 500_000;
    const { pass } = watching(exchange);
    pass(60, () => (exchange.incoming.socket._handle.writeQueueSize -= 1_030));
    expect(exchange.answer.destroy).not.toHaveBeenCalled();
    pass(60);
    expect(exchange.answer.destroy).toHaveBeenCalled();
  });

  it('ends after the longest time a stream may take', () => {
    const { pass, refused } = watching(answering());
    pass(899);
    expect(refused).toEqual([]);
    pass(1);
    expect(refused).toEqual([['UPSTREAM_TIMEOUT', { seconds: 900 }]]);
  });

  it('gets a comment after each silence, if it is a stream of events', () => {
    const exchange = answering();
    exchange.answer.takesEvents = true;
    const { pass } = watching(exchange);
    pass(14, () => (exchange.answer.bytes += 10));
    expect(exchange.answer.comment).not.toHaveBeenCalled();
    pass(46);
    expect(exchange.answer.comment).toHaveBeenCalledTimes(3);
  });

  it('gets none where the route wants none', () => {
    const exchange = answering({ heartbeatSeconds: 0 });
    exchange.answer.takesEvents = true;
    const { pass } = watching(exchange);
    pass(60);
    expect(exchange.answer.comment).not.toHaveBeenCalled();
  });

  it('in another protocol is left alone', () => {
    const exchange = answering();
    exchange.answer.isSwitched = true;
    const { pass, refused } = watching(exchange);
    pass(2_000);
    expect(refused).toEqual([]);
  });
});
