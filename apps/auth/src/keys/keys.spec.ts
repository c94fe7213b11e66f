import { randomBytes } from 'node:crypto';
import { systemClock } from '@sallyport/contracts';
import { readPepper } from '@sallyport/identity';
import type { DataSource } from 'typeorm';
import { Cursors } from './cursor';
import { Keys } from './keys';

/** A pool that may fail at a step of a transaction, and counts who has not come back. */
function keysUnderTest(failing?: 'start' | 'insert') {
  const gone = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const pool = { taken: 0, open: false };
  const runner = {
    manager: {
      queryRunner: { isTransactionActive: true },
      query: async () => {
        if (failing === 'insert') throw gone;
      },
    },
    startTransaction: async () => {
      if (failing === 'start') throw gone;
      pool.open = true;
    },
    rollbackTransaction: async () => {
      if (!pool.open) throw new Error('there is no transaction');
      pool.open = false;
    },
    release: async () => void pool.taken--,
  };
  const dataSource = { createQueryRunner: () => (pool.taken++, runner) } as unknown as DataSource;
  const keys = new Keys({
    dataSource,
    pepper: readPepper(1, Buffer.alloc(32, 5).toString('hex')),
    cursors: new Cursors(Buffer.alloc(32, 1)),
    clock: systemClock,
    random: randomBytes,
    committed: async () => undefined,
  });
  return { pool, gone, tryMinting: () => keys.tryMinting({ name: 'shop' }, { name: 'admin', via: 'api' }) };
}

describe('a key that is minted on trial', () => {
  it('leaves neither a transaction nor a connection behind', async () => {
    const { pool, tryMinting } = keysUnderTest();
    expect(await tryMinting()).toMatchObject({ name: 'shop', status: 'active' });
    expect(pool).toEqual({ taken: 0, open: false });
  });

  it.each(['start', 'insert'] as const)(
    'says that the database is gone at its %s, and gives the connection back',
    async (at) => {
      const { pool, gone, tryMinting } = keysUnderTest(at);
      await expect(tryMinting()).rejects.toBe(gone);
      expect(pool).toEqual({ taken: 0, open: false });
    },
  );
});
