import { randomBytes } from 'node:crypto';
import { systemClock } from '@sallyport/contracts';
import { systemTimers } from '@sallyport/ai';
import { connectNatsBus, createEmbeddedBus, type Bus, type Kv } from '@sallyport/platform';
import { describeSharedStore } from '../../../../libs/pipeline/src/shared-store.suite';
import { hasNatsServer, startNatsServer } from '../../../../libs/platform/src/nats-server.suite';
import { BusStore } from './bus-store';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const BUCKET = 'sallyport_policy_store';

function storeOn(open: () => Promise<Kv>, more: { secret?: Uint8Array; now?: () => number } = {}): BusStore {
  return new BusStore({
    open,
    secret: more.secret ?? Buffer.alloc(32, 7),
    clock: { now: more.now ?? systemClock.now, monotonic: systemClock.monotonic },
    random: (count) => randomBytes(count),
    timers: systemTimers,
  });
}

function harnessOf(bus: Bus, peer: Bus, close: () => Promise<void>) {
  let passed = 0;
  const now = (): number => systemClock.now() + passed;
  return {
    store: storeOn(() => bus.kv(BUCKET), { now }),
    peer: storeOn(() => peer.kv(BUCKET), { now }),
    advance: (ms: number) => void (passed += ms),
    close,
  };
}

describeSharedStore('the store over the bus of one process', async () => {
  const bus = createEmbeddedBus(systemClock, quiet);
  return harnessOf(bus, bus, () => bus.drain());
});

if (!hasNatsServer) {
  console.warn('skipped: the store over NATS, because nats-server is not installed');
  describe.skip('the store over NATS (skipped: nats-server is not installed)', () => it('', () => undefined));
} else {
  describeSharedStore('the store over NATS', async () => {
    const server = await startNatsServer();
    const bus = await connectNatsBus({ url: server.url, name: 'one', logger: quiet });
    const peer = await connectNatsBus({ url: server.url, name: 'two', logger: quiet });
    return harnessOf(bus, peer, async () => {
      await bus.drain();
      await peer.drain();
      await server.close();
    });
  });
}

describe('the store over the bus by itself', () => {
  const claim = (store: BusStore, key: string, value = 'v') =>
    new Promise<unknown>((resolve) => store.claim(key, Buffer.from(value), 60_000, resolve));

  it('says that nobody can say while the bus is away, and works when it is back', async () => {
    const bus = createEmbeddedBus(systemClock, quiet);
    let away = true;
    const store = storeOn(() => (away ? Promise.reject(new Error('no connection')) : bus.kv(BUCKET)));
    expect(await claim(store, 'k')).toBe('unavailable');
    away = false;
    expect(await claim(store, 'k')).toBeUndefined();
    await bus.drain();
  });

  it('waits no longer than a second for a bus that does not answer', async () => {
    const from = performance.now();
    expect(
      await claim(
        storeOn(() => new Promise(() => undefined)),
        'k',
      ),
    ).toBe('unavailable');
    expect(performance.now() - from).toBeLessThan(3_000);
  });

  it('writes nothing that nobody waits for any more', async () => {
    const bus = createEmbeddedBus(systemClock, quiet);
    const kv = await bus.kv(BUCKET);
    let arrive = (): void => undefined;
    const late: Kv = Object.create(kv, {
      get: { value: (key: string) => new Promise((resolve) => (arrive = () => resolve(kv.get(key)))) },
    }) as Kv;
    const store = storeOn(async () => late);
    expect(await claim(store, 'k')).toBe('unavailable');
    arrive();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await kv.keys()).toEqual([]);
    await bus.drain();
  });

  it('leaves neither a key nor a value in clear on the bus, and opens nothing that is sealed otherwise', async () => {
    const bus = createEmbeddedBus(systemClock, quiet);
    const store = storeOn(() => bus.kv(BUCKET));
    await claim(store, 'the caller’s key', 'the secret answer');
    const kv = await bus.kv(BUCKET);
    const [name] = await kv.keys();
    const { value } = (await kv.get(name!))!;
    expect(name! + Buffer.from(value).toString('latin1')).not.toMatch(/caller|secret|answer/);

    await kv.put(name!, Buffer.concat([Buffer.from(value).subarray(0, -1), Buffer.from([value.at(-1)! ^ 1])]));
    expect(await claim(store, 'the caller’s key')).toBe('unavailable');
    await kv.put(name!, value);
    expect(await claim(store, 'the caller’s key')).toEqual(Buffer.from('the secret answer'));
    expect(
      await claim(
        storeOn(() => bus.kv(BUCKET), { secret: Buffer.alloc(32, 8) }),
        'the caller’s key',
      ),
    ).toBeUndefined();
    await bus.drain();
  });
});
