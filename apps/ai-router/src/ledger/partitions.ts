import type { Closable, Runtime } from '@sallyport/platform';
import type { DataSource, EntityManager } from 'typeorm';
import { SCHEMA } from './ledger-tables';

/** Months made ahead, the present one included. */
const MONTHS = 3;

/**
 * Makes the partitions of the months to come. Rows of a month that has none go to the default partition; such a month
 * is left where it is, since a partition cannot be made for rows that another one holds.
 * @returns the names of those that were made.
 */
async function makePartitions(manager: EntityManager, now: number): Promise<string[]> {
  const made: string[] = [];
  for (let ahead = 0; ahead < MONTHS; ahead++) {
    const from = monthAt(now, ahead);
    if (await makeMonth(manager, from, monthAt(now, ahead + 1))) made.push(nameOf(from));
  }
  return made;
}

async function makeMonth(manager: EntityManager, from: Date, until: Date): Promise<boolean> {
  const name = nameOf(from);
  const [{ exists, taken }] = await manager.query<[{ exists: boolean; taken: boolean }]>(
    `SELECT to_regclass($1) IS NOT NULL AS exists,
            EXISTS (SELECT FROM ${SCHEMA}.ai_receipt_rest WHERE at >= $2 AND at < $3) AS taken`,
    [`${SCHEMA}.${name}`, from, until],
  );
  if (exists || taken) return false;
  await manager.query(
    `CREATE TABLE IF NOT EXISTS ${SCHEMA}.${name} PARTITION OF ${SCHEMA}.ai_receipt
       FOR VALUES FROM ('${from.toISOString()}') TO ('${until.toISOString()}')`,
  );
  return true;
}

function monthAt(now: number, ahead: number): Date {
  const date = new Date(now);
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead));
}

function nameOf(month: Date): string {
  return `ai_receipt_${month.toISOString().slice(0, 7).replace('-', '_')}`;
}

const DAY_MS = 86_400_000;

/** Makes partitions now and every day; when that fails a row still finds its place in the default partition. */
export async function keepPartitions(
  dataSource: DataSource,
  { clock, logger }: Pick<Runtime, 'clock' | 'logger'>,
): Promise<Closable> {
  const keep = async (): Promise<void> => {
    try {
      const made = await makePartitions(dataSource.manager, clock.now());
      if (made.length > 0) logger.info({ partitions: made }, 'made partitions of receipts');
    } catch (error) {
      logger.warn({ err: error }, 'partitions of receipts could not be made');
    }
  };
  await keep();
  const timer = setInterval(() => void keep(), DAY_MS);
  timer.unref();
  return { close: async () => clearInterval(timer) };
}
