import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buckets, subjects, type Clock, type Snapshot } from '@sallyport/contracts';
import type { Kv } from '../bus';
import { eventually, type BusHarness } from '../bus.suite';
import { createMetrics } from '../metrics';
import type { Runtime } from '../runtime';
import { encodeSnapshot, sha256Of, type EncodedSnapshot } from './document';
import { publishSnapshot, SnapshotSuperseded } from './publish';
import { openSnapshotReader, type SnapshotReader, type SnapshotReaderOptions } from './reader';

/** A small, whole configuration; `padding` makes it as large as a test needs it. */
export function sampleSnapshot(number: number, padding = 0): Snapshot {
  const tenant = 'default';
  const limits = [{ name: 'hourly', limit: 100, windowSeconds: 3600 }];
  const padded = Array.from({ length: Math.ceil(padding / 100) }, (_, index) => ({
    tenant,
    name: `padding-${index}`,
    limits,
  }));
  return {
    schema: 1,
    revision: `c_${number}`,
    createdAt: '2026-01-01T00:00:00.000Z',
    routes: [
      {
        id: 'orders/v1/all',
        tenant,
        service: 'orders',
        version: 'v1',
        state: 'published',
        lifecycle: { deprecatedAt: null, sunsetAt: null, successor: null },
        class: 'public',
        match: { host: null, pathPrefix: '/orders', methods: [] },
        stripPrefix: false,
        upstream: 'up-orders',
        auth: { anonymous: false, kinds: ['api-key'], trust: [], scopes: [] },
        policies: [],
        trustTrace: false,
      },
    ],
    upstreams: [
      {
        id: 'up-orders',
        tenant,
        name: 'orders',
        targets: [{ url: 'http://127.0.0.1:8090', weight: 1 }],
        timeouts: { connectMs: 2_000, firstByteMs: 15_000, idleMs: 30_000 },
        allowPrivate: true,
      },
    ],
    consumers: [{ tenant, name: 'acme', limits }, ...padded],
    models: [{ tenant, name: 'echo', class: 'public', targets: [{ account: 'local', model: 'echo', price: null }] }],
    accounts: [
      { tenant, name: 'local', provider: 'echo', wire: 'echo', baseUrl: null, allowPrivate: false, key: null },
    ],
    trust: [],
  };
}

const text = (data: Uint8Array) => new TextDecoder().decode(data);
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** Publishing and reading configurations over a bus, with a forger among the writers. */
export function describeSnapshots(name: string, make: () => Promise<BusHarness>): void {
  describe(name, () => {
    const logger = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
    const readers: SnapshotReader[] = [];
    let harness: BusHarness;
    let dataDir: string;
    let kv: Kv;
    let applied: string[];
    let metrics: ReturnType<typeof createMetrics>;

    beforeEach(async () => {
      harness = await make();
      kv = await harness.bus.kv(buckets.snapshots);
      dataDir = await mkdtemp(join(tmpdir(), 'sp-'));
      applied = [];
      metrics = createMetrics('ingress');
      jest.clearAllMocks();
    });
    afterEach(async () => {
      for (const reader of readers.splice(0)) await reader.close();
      await harness.close();
      await rm(dataDir, { recursive: true, force: true });
    });

    const open = async (options: Partial<SnapshotReaderOptions> = {}) => {
      const config = { nodeName: 'node-1' };
      const runtime = { app: 'ingress', config, clock, logger, metrics } as unknown as Runtime;
      const apply = (snapshot: Snapshot) => void applied.push(snapshot.revision);
      const reader = await openSnapshotReader({ bus: harness.peer, dataDir, runtime, apply, ...options });
      readers.push(reader);
      return reader;
    };
    const rejections = async () => {
      const line = /^sallyport_config_rejected_total\{[^}]*\} (\d+)$/m.exec(await metrics.exposition());
      return Number(line?.[1] ?? 0);
    };
    /** Writes a head for a document without asking whether it is sound. */
    const forge = async (number: number, document: Uint8Array, change: object = {}) => {
      const sha256 = sha256Of(document);
      const key = `chunk.c_${number}.${sha256.slice(0, 16)}.0`;
      await kv.put(key, document);
      await kv.put(
        'head',
        bytes({ revision: `c_${number}`, sha256, bytes: document.length, chunks: [key], ...change }),
      );
      return key;
    };
    const chunkKeys = async () => (await kv.keys()).filter((key) => key.startsWith('chunk.'));

    describe('publishing', () => {
      it('reaches a reader, over several chunks, and says so', async () => {
        const news: unknown[] = [];
        await harness.peer.subscribe(subjects.snapshotPublished, (message) =>
          news.push(JSON.parse(text(message.data))),
        );
        const reader = await open();
        const large = sampleSnapshot(3, 1_200_000);
        await publishSnapshot(harness.bus, large);
        await eventually(() => expect(reader.revision()).toBe('c_3'));
        expect((await chunkKeys()).length).toBeGreaterThan(2);
        await eventually(() => expect(news).toEqual([{ revision: 'c_3', sha256: encodeSnapshot(large).sha256 }]));
      });

      it('changes nothing when it is done again', async () => {
        await publishSnapshot(harness.bus, sampleSnapshot(3));
        const head = await kv.get('head');
        await publishSnapshot(harness.peer, sampleSnapshot(3));
        expect(await kv.get('head')).toEqual(head);
      });

      it('puts a lost chunk back', async () => {
        await publishSnapshot(harness.bus, sampleSnapshot(3));
        for (const key of await chunkKeys()) await kv.purge(key);
        await publishSnapshot(harness.bus, sampleSnapshot(3));
        const reader = await open();
        await eventually(() => expect(reader.revision()).toBe('c_3'));
      });

      it('never moves the head back', async () => {
        await publishSnapshot(harness.bus, sampleSnapshot(4));
        await expect(publishSnapshot(harness.peer, sampleSnapshot(3))).rejects.toBeInstanceOf(SnapshotSuperseded);
        expect(JSON.parse(text((await kv.get('head'))!.value))).toMatchObject({ revision: 'c_4' });
      });

      it('ends with the latest when many publish at once', async () => {
        const numbers = [5, 1, 4, 2, 3];
        const outcomes = await Promise.allSettled(
          numbers.map((number, index) =>
            publishSnapshot(index % 2 ? harness.bus : harness.peer, sampleSnapshot(number)),
          ),
        );
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(SnapshotSuperseded);
        }
        const reader = await open();
        await eventually(() => expect(reader.revision()).toBe('c_5'));
      });

      it('keeps the chunks of the last twenty revisions', async () => {
        for (let number = 1; number <= 23; number++) await publishSnapshot(harness.bus, sampleSnapshot(number));
        const revisions = new Set((await chunkKeys()).map((key) => key.split('.')[1]));
        expect(revisions.size).toBe(20);
        expect(revisions).toContain('c_4');
        expect(revisions).not.toContain('c_3');
      });

      it('does not publish what no reader would take', async () => {
        const broken = { ...sampleSnapshot(3), upstreams: [] };
        await expect(publishSnapshot(harness.bus, broken)).rejects.toThrow('routes[0].upstream');
        expect(await kv.keys()).toEqual([]);
      });
    });

    describe('reading', () => {
      it('follows one revision after the other and reports what it runs', async () => {
        const reports: unknown[] = [];
        await harness.bus.subscribe(subjects.snapshotApplied, (message) =>
          reports.push(JSON.parse(text(message.data))),
        );
        const reader = await open();
        for (const number of [1, 2, 3]) {
          await publishSnapshot(harness.bus, sampleSnapshot(number));
          await eventually(() => expect(reader.revision()).toBe(`c_${number}`));
        }
        expect(applied).toEqual(['c_1', 'c_2', 'c_3']);
        const row = { node: 'node-1', app: 'ingress', revision: 'c_3', milliseconds: expect.any(Number) };
        await eventually(() => expect(reports).toContainEqual(row));
        const exposition = await metrics.exposition();
        expect(exposition).toMatch(/^sallyport_config_version_info\{app="ingress"\} 3$/m);
        expect(exposition).toMatch(/^sallyport_config_connected\{app="ingress"\} 1$/m);
        expect(exposition).toMatch(/^sallyport_config_last_seen_seconds\{app="ingress"\} 0$/m);
      });

      it('starts from disk without a head on the bus', async () => {
        await publishSnapshot(harness.bus, sampleSnapshot(1));
        const first = await open();
        await eventually(async () => expect(await readdir(join(dataDir, 'snapshot', 'ingress'))).toContain('current'));
        await first.close();
        await kv.delete('head');
        const second = await open();
        expect(second.revision()).toBe('c_1');
        expect(applied).toEqual(['c_1', 'c_1']);
      });

      it('starts from the one before when the newest file is torn, and holds no more than two', async () => {
        const first = await open();
        const folder = join(dataDir, 'snapshot', 'ingress');
        for (const number of [1, 2, 3]) {
          await publishSnapshot(harness.bus, sampleSnapshot(number));
          await eventually(async () =>
            expect(await readFile(join(folder, 'current'), 'utf8')).toContain(`c_${number} `),
          );
        }
        await first.close();
        expect((await readdir(folder)).sort()).toEqual(['current', 'previous']);
        await writeFile(join(folder, 'current'), (await readFile(join(folder, 'current'))).subarray(0, 500));
        await kv.delete('head');
        const second = await open();
        expect(second.revision()).toBe('c_2');
      });

      it('takes from the bus what is torn on disk, when that is all there is on disk', async () => {
        await publishSnapshot(harness.bus, sampleSnapshot(1));
        const first = await open();
        const current = join(dataDir, 'snapshot', 'ingress', 'current');
        await eventually(async () => expect(await readFile(current, 'utf8')).toContain('c_1 '));
        await first.close();
        await writeFile(current, (await readFile(current)).subarray(0, 500));
        const second = await open();
        expect(logger.error.mock.calls[0]![0]).toMatchObject({ field: 'sha256', source: 'disk' });
        await eventually(() => expect(second.revision()).toBe('c_1'));
      });

      it('takes the newest of heads that came while it was busy', async () => {
        let release!: () => void;
        const busy = new Promise<void>((resolve) => (release = resolve));
        const reader = await open({
          apply: async (snapshot) => {
            applied.push(snapshot.revision);
            if (applied.length === 1) await busy;
          },
        });
        await publishSnapshot(harness.bus, sampleSnapshot(1));
        await eventually(() => expect(applied).toEqual(['c_1']));
        const heads: string[] = [];
        await (
          await harness.peer.kv(buckets.snapshots)
        ).watch((entry) => heads.push(text(entry.value)), undefined, 'head');
        for (const number of [2, 3, 4]) await publishSnapshot(harness.bus, sampleSnapshot(number));
        await eventually(() => expect(heads.at(-1)).toContain('c_4'));
        release();
        await eventually(() => expect(reader.revision()).toBe('c_4'));
        expect(applied).toEqual(['c_1', 'c_4']);
      });

      it('keeps the old one when a new one cannot be applied, and takes the next', async () => {
        const reader = await open({
          apply: (snapshot) => {
            if (snapshot.revision === 'c_2') throw new Error('routes[0]: two routes match /orders');
            applied.push(snapshot.revision);
          },
        });
        await publishSnapshot(harness.bus, sampleSnapshot(1));
        await eventually(() => expect(reader.revision()).toBe('c_1'));
        await publishSnapshot(harness.bus, sampleSnapshot(2));
        await eventually(() => expect(logger.error).toHaveBeenCalledTimes(1));
        expect(logger.error.mock.calls[0]![0]).toMatchObject({
          revision: 'c_2',
          kept: 'c_1',
          reason: 'routes[0]: two routes match /orders',
        });
        expect(reader.revision()).toBe('c_1');
        expect(await rejections()).toBe(1);
        await publishSnapshot(harness.bus, sampleSnapshot(3));
        await eventually(() => expect(applied).toEqual(['c_1', 'c_3']));
      });
    });

    describe('a hostile bus', () => {
      const whole = () => encodeSnapshot(sampleSnapshot(2)).document;
      const withFault = () => bytes({ ...sampleSnapshot(2), surprise: true });

      it.each<[string, string, () => Promise<unknown>]>([
        ['a head that is no JSON', 'head', () => kv.put('head', bytes('{"revision":'))],
        ['a head with an unknown member', 'head', () => forge(2, whole(), { extra: 1 })],
        ['a forged hash', 'sha256', () => forge(2, whole(), { sha256: 'a'.repeat(64) })],
        ['another revision than the document says', 'revision', () => forge(3, whole())],
        ['a document with an unknown member', 'document', () => forge(2, withFault())],
        ['a torn chunk', 'head.bytes', async () => kv.put(await forgeTorn(), bytes('{'))],
        ['fewer bytes than the chunks hold', 'head.chunks[0]', () => forge(2, whole(), { bytes: 10 })],
        [
          'more chunks than bytes',
          'head.chunks',
          () => forge(2, whole(), { chunks: Array(9).fill('chunk.c_2.0123456789abcdef.0') }),
        ],
        ['a size beyond the limit', 'bytes', () => forge(2, whole(), { bytes: 65 * 1024 * 1024 })],
        ['a size beyond four times the last', 'bytes', () => forge(2, whole(), { bytes: 1024 * 1024 + 1 })],
        ['a chunk that is another key', 'head.chunks[0]', () => forge(2, whole(), { chunks: ['head'] })],
      ])('%s is refused, and what runs keeps running', async (_, field, attack) => {
        const reader = await open();
        await publishSnapshot(harness.bus, sampleSnapshot(1));
        await eventually(() => expect(reader.revision()).toBe('c_1'));
        await attack();
        await eventually(() => expect(logger.error).toHaveBeenCalled());
        expect(logger.error.mock.calls[0]![0]).toMatchObject({ field, kept: 'c_1' });
        expect(await rejections()).toBe(1);
        expect(applied).toEqual(['c_1']);
        await kv.delete('head');
        await publishSnapshot(harness.bus, sampleSnapshot(4));
        await eventually(() => expect(applied).toEqual(['c_1', 'c_4']));
      });

      /** A sound head whose chunk is about to be cut. */
      const forgeTorn = async () => {
        const document = whole();
        const key = `chunk.c_2.${sha256Of(document).slice(0, 16)}.0`;
        await kv.put(key, bytes('{'));
        await forgeHead(document, key);
        return key;
      };
      const forgeHead = (document: Uint8Array, key: string) =>
        kv.put('head', bytes({ revision: 'c_2', sha256: sha256Of(document), bytes: document.length, chunks: [key] }));

      it('a head that comes before its chunk is fetched again until it is whole', async () => {
        const reader = await open();
        const document = whole();
        const key = `chunk.c_2.${sha256Of(document).slice(0, 16)}.0`;
        await forgeHead(document, key);
        await eventually(() => expect(logger.warn).toHaveBeenCalled());
        expect(reader.revision()).toBeUndefined();
        await kv.put(key, document);
        await eventually(() => expect(reader.revision()).toBe('c_2'));
        expect(await rejections()).toBe(0);
      });
    });

    describe('asking the catalog', () => {
      it('gives a configuration while the bus has none, and knows which one is in use', async () => {
        const pull = jest.fn(async () => encodeSnapshot(sampleSnapshot(6)));
        const reader = await open({ pull });
        await eventually(() => expect(reader.revision()).toBe('c_6'));
        expect(pull).toHaveBeenCalledWith('');
        await publishSnapshot(harness.bus, sampleSnapshot(7));
        await eventually(() => expect(reader.revision()).toBe('c_7'));
      });

      it('is held to the same checks', async () => {
        const encoded = encodeSnapshot(sampleSnapshot(6));
        await open({ pull: async () => ({ ...encoded, sha256: 'b'.repeat(64) }) });
        await eventually(() => expect(logger.error).toHaveBeenCalled());
        expect(logger.error.mock.calls[0]![0]).toMatchObject({ field: 'sha256', source: 'catalog' });
        expect(applied).toEqual([]);
      });

      it.each<[string, (key: string) => Promise<unknown>]>([
        ['lost', (key) => kv.purge(key)],
        ['damaged', async (key) => kv.put(key, (await kv.get(key))!.value.with(5, 0))],
      ])('makes up for a chunk that the bus has %s', async (_, spoil) => {
        const encoded = encodeSnapshot(sampleSnapshot(6));
        await publishSnapshot(harness.bus, sampleSnapshot(6));
        for (const key of await chunkKeys()) await spoil(key);
        const pull = jest.fn<Promise<EncodedSnapshot | undefined>, [string]>(async () => undefined);
        const reader = await open({ pull, pullEveryMs: 50 });
        await eventually(() =>
          expect(logger.error.mock.calls.length + logger.warn.mock.calls.length).toBeGreaterThan(0),
        );
        expect(reader.revision()).toBeUndefined();
        pull.mockResolvedValue(encoded);
        await eventually(() => expect(reader.revision()).toBe('c_6'));
      });

      it('that is out of reach stops nothing', async () => {
        const reader = await open({ pull: () => Promise.reject(new Error('connection refused')) });
        await eventually(() => expect(logger.warn).toHaveBeenCalled());
        await publishSnapshot(harness.bus, sampleSnapshot(1));
        await eventually(() => expect(reader.revision()).toBe('c_1'));
      });
    });
  });
}
