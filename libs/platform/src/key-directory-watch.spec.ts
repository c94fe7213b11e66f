import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buckets, type ApiKeyRecord, type Clock } from '@sallyport/contracts';
import type { Bus, Kv } from './bus';
import { createEmbeddedBus } from './embedded-bus';
import { KEY_HEARTBEAT, watchKeyDirectory, type KeyDirectorySink } from './key-directory-watch';

const NOW = Date.UTC(2030, 0, 1);

function recordOf(kid: string, changes: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return {
    kid: kid.padEnd(11, '0'),
    mac: 'AAAA',
    pepperVersion: 1,
    tenant: 'acme',
    name: kid,
    consumer: 'shop',
    scopes: [],
    services: ['*'],
    models: ['*'],
    cidrs: [],
    rate: { limit: 60, windowSeconds: 60 },
    budgetUsdPerMonth: '5',
    expiresAt: '2030-06-01T00:00:00.000Z',
    status: 'active',
    ...changes,
  };
}

class Directory implements KeyDirectorySink {
  readonly records = new Map<string, ApiKeyRecord>();
  confirmedAt: number | undefined;
  put = (record: ApiKeyRecord) => void this.records.set(record.kid, record);
  remove = (kid: string) => void this.records.delete(kid);
  confirm = (at: number) => void (this.confirmedAt = at);
  names = () => [...this.records.values()].map(({ name, status }) => `${name} ${status}`).sort();
}

describe('following the list of API keys', () => {
  const clock: Clock = { now: () => NOW, monotonic: () => NOW };
  const logger = { warn: jest.fn(), error: jest.fn() };
  let dataDir: string;
  let bus: Bus;
  let bucket: Kv;
  let directory: Directory;

  beforeEach(async () => {
    jest.clearAllMocks();
    dataDir = await mkdtemp(join(tmpdir(), 'sp-'));
    await freshBus();
  });
  afterEach(async () => {
    await bus.drain();
    await rm(dataDir, { recursive: true });
  });

  async function freshBus(): Promise<void> {
    await bus?.drain();
    bus = createEmbeddedBus(clock);
    bucket = await bus.kv(buckets.apiKeys);
    directory = new Directory();
  }
  const follow = () => watchKeyDirectory({ bus, dataDir, clock, logger, apply: directory });
  const write = (record: ApiKeyRecord) => bucket.put(record.kid, Buffer.from(JSON.stringify(record)));
  const beat = (at = NOW) => bucket.put(KEY_HEARTBEAT, Buffer.from(JSON.stringify({ at })));
  /** The embedded bus hands on at the next turn of the loop. */
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('takes what is there, then every change', async () => {
    await write(recordOf('a'));
    await beat(NOW - 500);
    const watch = await follow();
    await turn();
    expect(directory.names()).toEqual(['a active']);
    expect(directory.confirmedAt).toBe(NOW - 500);
    await write(recordOf('b'));
    await write(recordOf('a', { status: 'revoked' }));
    await bucket.delete(recordOf('b').kid);
    await turn();
    expect(directory.names()).toEqual(['a revoked']);
    await watch.close();
  });

  it('is not confirmed by a list nobody vouched for, nor ahead of its own clock', async () => {
    await write(recordOf('a'));
    const watch = await follow();
    await turn();
    expect(directory.confirmedAt).toBeUndefined();
    await beat(NOW + 60_000);
    await turn();
    expect(directory.confirmedAt).toBe(NOW);
    await watch.close();
  });

  it('starts from the last copy, and keeps it until an empty bus is vouched for', async () => {
    await write(recordOf('a'));
    await write(recordOf('b'));
    await beat(NOW - 1000);
    const first = await follow();
    await turn();
    await first.close();

    await freshBus();
    const second = await follow();
    await turn();
    expect(directory.names()).toEqual(['a active', 'b active']);
    expect(directory.confirmedAt).toBe(NOW - 1000);
    await write(recordOf('a', { status: 'revoked' }));
    await beat();
    await turn();
    expect(directory.names()).toEqual(['a revoked']);
    await second.close();
  });

  it('keeps the copy for its own user only, and leaves no draft behind', async () => {
    await write(recordOf('a'));
    await beat();
    const watch = await follow();
    await turn();
    await watch.close();
    const files = (await readdir(join(dataDir, 'keys'))).sort();
    expect(files).toEqual(['api-keys-confirmed.json', 'api-keys.json']);
    for (const file of files) expect((await stat(join(dataDir, 'keys', file))).mode & 0o777).toBe(0o600);
  });

  it('goes on without a copy that cannot be read', async () => {
    await mkdir(join(dataDir, 'keys'));
    await writeFile(join(dataDir, 'keys', 'api-keys.json'), '[{"kid":');
    await writeFile(join(dataDir, 'keys', 'api-keys-confirmed.json'), `{"at":${NOW}}`);
    const watch = await follow();
    expect(directory.confirmedAt).toBeUndefined();
    await watch.close();
    await writeFile(join(dataDir, 'keys', 'api-keys.json'), '[{"kid":"x"}]');
    const again = await follow();
    expect(logger.warn).toHaveBeenCalledTimes(1);
    await again.close();
  });

  it('forgets a key whose record it cannot read, since that may have been a revocation', async () => {
    await write(recordOf('a'));
    const watch = await follow();
    await turn();
    await bucket.put(recordOf('a').kid, Buffer.from('{"status":"withdrawn"}'));
    await turn();
    expect(directory.names()).toEqual([]);
    expect(logger.error).toHaveBeenCalledTimes(1);
    await watch.close();
  });
});
