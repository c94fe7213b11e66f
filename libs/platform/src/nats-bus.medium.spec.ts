import { connect, type NatsConnection } from 'nats';
import { buckets, subjects } from '@sallyport/contracts';
import { freePort } from '@sallyport/testkit';
import { ack, BusUnavailable, type Bus, type KvEntry } from './bus';
import { describeBus, eventually } from './bus.suite';
import { Unreachable } from './keep-trying';
import { connectNatsBus } from './nats-bus';
import { NatsListeners } from './nats-listeners';
import { hasNatsServer, startNatsServer, type NatsServer } from './nats-server.suite';

jest.setTimeout(60_000);

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

if (!hasNatsServer) {
  console.warn('skipped: the bus over NATS, because nats-server is not installed');
  describe.skip('the bus over NATS (skipped: nats-server is not installed)', () => it('', () => undefined));
} else {
  describeBus('the bus over NATS', async () => {
    const server = await startNatsServer();
    const bus = await connectNatsBus({ url: server.url, name: 'one', logger: quiet });
    const peer = await connectNatsBus({ url: server.url, name: 'two', logger: quiet });
    return {
      bus,
      peer,
      close: async () => {
        await bus.drain();
        await peer.drain();
        await server.close();
      },
    };
  });

  describe('the bus over NATS by itself', () => {
    const logger = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
    let server: NatsServer;
    let bus: Bus;

    beforeEach(async () => {
      jest.clearAllMocks();
      server = await startNatsServer();
      bus = await connectNatsBus({ url: server.url, name: 'test', logger });
    });
    afterEach(async () => {
      await bus.drain();
      await server.close();
    });

    const restart = async (signal?: NodeJS.Signals) => {
      await server.stop(signal);
      await eventually(() => expect(bus.health().connected).toBe(false));
      await server.start();
    };
    const connected = () => eventually(() => expect(bus.health().connected).toBe(true), 10_000);

    it('connects twice to the same streams and buckets', async () => {
      const again = await connectNatsBus({ url: server.url, name: 'again', logger });
      await (await bus.kv('sallyport_test')).put('a', bytes('1'));
      expect(text((await (await again.kv('sallyport_test')).get('a'))!.value)).toBe('1');
      await again.drain();
    });

    it('loses nothing of a watch over restarts of the server, orderly and by kill', async () => {
      const seen: KvEntry[] = [];
      const kv = await bus.kv(buckets.apiKeys);
      await kv.watch((entry) => seen.push(entry));
      let written = 0;
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        for (let index = 0; index < 20; index++) await kv.put(`k${++written}`, bytes('x'));
        await restart(signal);
        const other = await connectNatsBus({ url: server.url, name: 'other', logger: quiet });
        const theirs = await other.kv(buckets.apiKeys);
        for (let index = 0; index < 20; index++) await theirs.put(`k${++written}`, bytes('x'));
        await theirs.delete('k1');
        await other.drain();
        await connected();
      }
      await kv.put('last', bytes('x'));
      await eventually(() => expect(seen.at(-1)?.key).toBe('last'), 20_000);
      expect(new Set(seen.filter(({ key }) => key.startsWith('k')).map(({ key }) => key)).size).toBe(written);
      expect(seen.filter(({ operation }) => operation === 'delete').map(({ key }) => key)).toContain('k1');
      const revisions = seen.map(({ revision }) => revision);
      expect(revisions).toEqual([...new Set(revisions)].sort((one, other) => one - other));
    });

    it('watches a bucket from its beginning when the server lost it, and makes it anew', async () => {
      const seen: string[] = [];
      const kv = await bus.kv(buckets.apiKeys);
      for (const key of ['a', 'b', 'c']) await kv.put(key, bytes('1'));
      await kv.watch((entry) => seen.push(`${entry.key}=${text(entry.value)}`));
      await eventually(() => expect(seen).toEqual(['a=1', 'b=1', 'c=1']));
      await server.stop();
      await server.wipe();
      await eventually(() => expect(bus.health().connected).toBe(false));
      await server.start();
      await connected();
      await eventually(() => kv.put('a', bytes('2')), 10_000);
      await eventually(() => expect(seen.at(-1)).toBe('a=2'), 10_000);
    });

    it('goes on consuming after a restart of the server, and after it lost its streams', async () => {
      const got: string[] = [];
      await bus.consume('SALLYPORT_AUDIT', 'reader', async (message) => {
        got.push(text(message.data));
        return ack;
      });
      await bus.publish(subjects.auditBatch, bytes('1'), { id: '1' });
      await eventually(() => expect(got).toEqual(['1']));
      await restart('SIGKILL');
      await connected();
      await eventually(() => bus.publish(subjects.auditBatch, bytes('2'), { id: '2' }), 10_000);
      await eventually(() => expect(got).toContain('2'), 20_000);
      await server.stop();
      await server.wipe();
      await eventually(() => expect(bus.health().connected).toBe(false));
      await server.start();
      await connected();
      await eventually(() => bus.publish(subjects.auditBatch, bytes('3'), { id: '3' }), 10_000);
      await eventually(() => expect(got).toContain('3'), 20_000);
    });

    it('goes on listening after a restart of the server', async () => {
      const heard: string[] = [];
      await bus.subscribe('sallyport.test.>', (message) => heard.push(text(message.data)));
      await restart();
      await connected();
      await bus.publish('sallyport.test.one', bytes('1'));
      await eventually(() => expect(heard).toEqual(['1']));
    });

    it('keeps nothing of a subscription that the server never confirmed', async () => {
      const [never, heard]: [string[], string[]] = [[], []];
      await server.freeze();
      const subscribing = bus.subscribe('sallyport.test.>', (message) => never.push(text(message.data)));
      const refused = expect(subscribing).rejects.toThrow(BusUnavailable);
      await server.stop('SIGKILL');
      await refused;
      await server.start();
      await connected();
      await bus.subscribe('sallyport.test.>', (message) => heard.push(text(message.data)));
      await bus.publish('sallyport.test.one', bytes('1'));
      await eventually(() => expect(heard).toEqual(['1']));
      expect(never).toEqual([]);
    });

    it('refuses to publish while there is no connection, and says so in its health', async () => {
      await server.stop();
      await eventually(() => expect(bus.health().connected).toBe(false));
      expect(bus.health().detail).toContain('reconnecting');
      await expect(bus.publish('sallyport.test.one', bytes('1'))).rejects.toThrow('no connection');
      await expect(bus.publish(subjects.auditBatch, bytes('1'))).rejects.toThrow('no connection');
      expect(logger.warn).toHaveBeenCalledWith(expect.anything(), expect.stringContaining('lost'));
      await server.start();
      await connected();
    });

    it('goes on knowing who listens after a restart of the server', async () => {
      const heard: string[] = [];
      await bus.subscribe('sallyport.test.one', ({ data }) => heard.push(text(data)));
      const announce = async (subject: string) => {
        const made: string[] = [];
        await bus.announce(
          ['1', '2', '3'],
          () => subject,
          (item) => {
            made.push(item);
            return bytes(item);
          },
        );
        return made;
      };
      expect([await announce('sallyport.test.one'), await announce('sallyport.test.two')]).toEqual([
        ['1', '2', '3'],
        ['1'],
      ]);
      await restart();
      await connected();
      heard.length = 0;
      await eventually(async () =>
        expect([await announce('sallyport.test.one'), await announce('sallyport.test.two')]).toEqual([
          ['1', '2', '3'],
          ['1'],
        ]),
      );
      await eventually(() => expect(heard.slice(0, 3)).toEqual(['1', '2', '3']));
    });

    it('keeps the order over many subjects, and asks no more than some times for one call', async () => {
      const heard: string[] = [];
      await bus.subscribe('sallyport.test.*', ({ data }) => heard.push(text(data)));
      const items = Array.from({ length: 400 }, (_, at) => `${Math.floor(at / 2)}-${at}`);
      await bus.announce(
        items,
        (item) => `sallyport.test.${item.split('-')[0]}`,
        (item) => bytes(item),
      );
      await eventually(() => expect(heard).toHaveLength(items.length));
      expect(heard).toEqual(items);
    });

    it('says that nobody knows who listens when the server stands still or is away', async () => {
      await server.freeze();
      const announce = () =>
        bus.announce(
          ['1', '2'],
          () => 'sallyport.test.one',
          (item) => bytes(item),
        );
      await expect(announce()).rejects.toThrow(BusUnavailable);
      await server.stop('SIGKILL');
      await eventually(() => expect(bus.health().connected).toBe(false));
      await expect(announce()).rejects.toThrow('no connection');
    });

    it('hears of listeners at other servers of its cluster', async () => {
      const [here, there] = await Promise.all([freePort(), freePort()]);
      const routed = (port: number, other: number) =>
        startNatsServer(
          ...['--name', `at-${port}`, '--cluster_name', 'test'],
          ...['--cluster', `nats://127.0.0.1:${port}`, '--routes', `nats://127.0.0.1:${other}`],
        );
      const servers = [await routed(here, there), await routed(there, here)];
      const clients: NatsConnection[] = [];
      try {
        for (const { url } of servers) clients.push(await connect({ servers: url.slice('nats://'.length) }));
        const [near, far] = clients;
        const heard: string[] = [];
        far!.subscribe('sallyport.test.*', { callback: (_, { data }) => heard.push(text(data)) });
        await far!.flush();
        const listeners = new NatsListeners(near!);
        const subjectsAsked = ['sallyport.test.one', 'sallyport.other.one'];
        const survey = async () => {
          const asking = listeners.survey();
          for (const subject of subjectsAsked) {
            asking.send(subject, (reply) => near!.publish(subject, bytes('1'), { reply: reply! }));
          }
          await asking.settle();
          return subjectsAsked.map((subject) => asking.isHeard(subject));
        };
        await eventually(async () => expect(await survey()).toEqual([true, false]), 20_000);
        await eventually(() => expect(heard).toContain('1'));
      } finally {
        await Promise.all(clients.map((client) => client.close()));
        for (const one of servers) await one.close();
      }
    });

    it('drains without a server', async () => {
      await bus.consume('SALLYPORT_AUDIT', 'reader', async () => ack);
      await (await bus.kv('sallyport_test')).watch(() => undefined);
      await server.stop();
      await eventually(() => expect(bus.health().connected).toBe(false));
      await bus.drain();
      expect(bus.health()).toEqual({ connected: false, detail: 'closed' });
    });
  });

  describe('connecting to NATS', () => {
    const logger = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
    beforeEach(() => jest.clearAllMocks());

    it('logs why each try failed, fails when the time is over, and never tells the password', async () => {
      const server = await startNatsServer('--user', 'sally', '--pass', 'right');
      const url = server.url.replace('//', '//sally:wrong-hunter2@');
      const connecting = connectNatsBus({ url, name: 'test', logger, connectLimitMs: 1_500 });
      await expect(connecting).rejects.toBeInstanceOf(Unreachable);
      await expect(connecting).rejects.toThrow(/NATS at 127\.0\.0\.1:\d+ could not be reached within 1\.5 s/);
      expect(logger.warn.mock.calls.length).toBeGreaterThanOrEqual(2);
      const told = JSON.stringify(logger.warn.mock.calls);
      expect(told).toMatch(/authorization/i);
      expect(told).not.toContain('hunter2');
      const bus = await connectNatsBus({ url: server.url.replace('//', '//sally:right@'), name: 'test', logger });
      expect(bus.health().detail).not.toContain('right');
      await bus.drain();
      await server.close();
    });

    it('waits for a server that comes late', async () => {
      const server = await startNatsServer();
      await server.stop();
      const connecting = connectNatsBus({ url: server.url, name: 'test', logger });
      await eventually(() => expect(logger.warn).toHaveBeenCalled());
      expect(JSON.stringify(logger.warn.mock.calls)).toContain('CONNECTION_REFUSED');
      await server.start();
      await (await connecting).drain();
      await server.close();
    });
  });
}
