import type { Clock } from '@sallyport/contracts';
import type { Closable, Logger } from '@sallyport/platform';
import type { DataSource } from 'typeorm';
import { refuseTruncate, SCHEMA } from './audit-tables';
import { partitionsAt, type MonthPartition } from './retention';

const DAY_MS = 24 * 3_600_000;

/** Makes the partitions of the coming months now, and looks again every day. */
export async function keepPartitions(dataSource: DataSource, clock: Clock, logger: Logger): Promise<Closable> {
  await makePartitions(dataSource, clock.now(), logger);
  const timer = setInterval(() => {
    makePartitions(dataSource, clock.now(), logger).catch((error: unknown) => {
      logger.error({ err: error }, 'audit partitions could not be made; rows go to the default partition');
    });
  }, DAY_MS);
  timer.unref();
  return { close: async () => clearInterval(timer) };
}

/** Makes what is missing. Replicas take turns; a month whose rows already lie in the default partition stays there. */
async function makePartitions(dataSource: DataSource, now: number, logger: Logger): Promise<void> {
  for (const partition of partitionsAt(now)) {
    await makePartition(dataSource, partition).catch((error: unknown) => {
      // 23514: rows of this month were faster than us. They are found there all the same.
      if ((error as { code?: string }).code !== '23514') throw error;
      logger.error({ partition: partition.name }, 'rows of this month lie in the default partition');
    });
  }
}

async function makePartition(dataSource: DataSource, { name, parent, from, to }: MonthPartition): Promise<void> {
  await dataSource.transaction(async (manager) => {
    await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', ['sallyport audit partitions']);
    const [found] = await manager.query<{ present: boolean }[]>('SELECT to_regclass($1) IS NOT NULL AS present', [
      `${SCHEMA}.${name}`,
    ]);
    if (found!.present) return;
    await manager.query(
      `CREATE TABLE ${SCHEMA}.${name} PARTITION OF ${SCHEMA}.${parent} FOR VALUES FROM ('${from}') TO ('${to}')`,
    );
    await manager.query(refuseTruncate(name));
  });
}
