import { randomBytes } from 'node:crypto';
import { buckets } from '@sallyport/contracts';
import { KeyDirectory, mintApiKey } from '@sallyport/identity';
import { createEmbeddedBus, KEY_HEARTBEAT, type Bus, type Kv } from '@sallyport/platform';
import { recordOf, type ApiKey } from './api-key';
import { KeyPublisher } from './key-publisher';

const START = Date.UTC(2030, 0, 1);

function keyOf(changes: Partial<ApiKey> = {}): ApiKey {
  return {
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    kid: mintApiKey('live', randomBytes).kid,
    mac: randomBytes(32),
    pepperVersion: 1,
    tenant: 'default',
    name: 'shop',
    consumer: 'shop',
    scopes: [],
    services: ['*'],
    models: ['*'],
    cidrs: [],
    rate: { limit: 60, windowSeconds: 60 },
    budgetUsdPerMonth: '5',
    lastFour: 'abcd',
    status: 'active',
    createdAt: new Date(START),
    createdBy: 'admin',
    expiresAt: new Date(START + 86_400_000),
    revokedAt: null,
    revokedBy: null,
    ...changes,
  };
}

const revoked = (key: ApiKey): ApiKey => ({ ...key, status: 'revoked', revokedAt: new Date(START) });

describe('publishing API keys', () => {
  let now: number;
  let bus: Bus;
  let bucket: Kv;
  let database: ApiKey[];
  let directory: KeyDirectory;
  let publisher: KeyPublisher;
  const logger = { warn: jest.fn(), info: jest.fn() };

  beforeEach(async () => {
    now = START;
    const clock = { now: () => now, monotonic: () => now };
    bus = createEmbeddedBus(clock);
    bucket = await bus.kv(buckets.apiKeys);
    database = [];
    directory = new KeyDirectory();
    logger.warn.mockClear();
    publisher = new KeyPublisher({ bucket, directory, presentable: async () => database, clock, logger });
  });
  afterEach(() => bus.drain());

  const stored = async (key: string) => {
    const entry = await bucket.get(key);
    return entry && (JSON.parse(Buffer.from(entry.value).toString()) as Record<string, unknown>);
  };
  const broken = (method: 'put' | 'create' | 'keys') =>
    jest.spyOn(bucket, method).mockRejectedValue(new Error('the bus is away'));

  it('fills an empty bucket from the database before it vouches for it', async () => {
    const [one, other] = [keyOf(), keyOf()];
    database = [one, revoked(other)];
    await publisher.beat();
    expect(await stored(one.kid)).toEqual(recordOf(one));
    expect(await stored(other.kid)).toMatchObject({ status: 'revoked' });
    expect(await stored(KEY_HEARTBEAT)).toEqual({ at: START });
  });

  it('brings what is in the bucket in step with the database', async () => {
    const [kept, gone, ended] = [keyOf(), keyOf(), keyOf()];
    for (const key of [kept, gone, ended]) await bucket.create(key.kid, Buffer.from(JSON.stringify(recordOf(key))));
    database = [kept, revoked(gone)];
    const before = await bucket.get(kept.kid);
    await publisher.beat();
    expect(await bucket.get(kept.kid)).toEqual(before);
    expect(await stored(gone.kid)).toMatchObject({ status: 'revoked' });
    expect(await stored(ended.kid)).toBeUndefined();
  });

  it('never lets a late mint undo a revocation that another replica has published', async () => {
    const key = keyOf();
    await publisher.publish(revoked(key));
    await publisher.publish(key);
    expect(await stored(key.kid)).toMatchObject({ status: 'revoked' });
    expect(directory.get(key.kid)?.record.status).toBe('revoked');
  });

  it('does not vouch while a revocation may be missing, and repairs it with the next turn', async () => {
    const key = keyOf();
    database = [key];
    await publisher.beat();
    const failing = broken('put');
    now += 1000;
    database = [revoked(key)];
    await publisher.publish(revoked(key));
    await publisher.beat();
    failing.mockRestore();
    expect(await stored(key.kid)).toMatchObject({ status: 'active' });
    expect(await stored(KEY_HEARTBEAT)).toEqual({ at: START });
    now += 1000;
    await publisher.beat();
    expect(await stored(key.kid)).toMatchObject({ status: 'revoked' });
    expect(await stored(KEY_HEARTBEAT)).toEqual({ at: START + 2000 });
  });

  it('compares again every half minute, so that what another replica left undone is done', async () => {
    const key = keyOf();
    database = [key];
    await publisher.beat();
    database = [revoked(key)];
    now += 29_000;
    await publisher.beat();
    expect(await stored(key.kid)).toMatchObject({ status: 'active' });
    now += 1_000;
    await publisher.beat();
    expect(await stored(key.kid)).toMatchObject({ status: 'revoked' });
  });

  it('keeps its own process informed from the database while the bus is away, and complains once', async () => {
    const key = keyOf();
    database = [key];
    const failing = broken('keys');
    for (let turn = 0; turn < 3; turn++) await publisher.beat();
    failing.mockRestore();
    expect(directory.get(key.kid)?.record.status).toBe('active');
    expect(directory.confirmedAt).toBe(START);
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });
});
