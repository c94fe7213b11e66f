/** How long records are kept: the first level of the table's partitions. */
export const retentions = ['control', 'traffic', 'ai_regulated'] as const;
export type Retention = (typeof retentions)[number];

/** Months of partitions that stand ready, the present one apart. */
const MONTHS_AHEAD = 3;
/** A spool that could not be shipped over the turn of a month holds records of the last one. */
const MONTHS_BACK = 1;

/** One month of one class. */
export interface MonthPartition {
  /** `audit_event_traffic_2026_11` */
  readonly name: string;
  readonly parent: string;
  /** Dates, the second exclusive. */
  readonly from: string;
  readonly to: string;
}

/** The partitions there should be at a moment, in UTC. */
export function partitionsAt(now: number): MonthPartition[] {
  const moment = new Date(now);
  const months = Array.from({ length: MONTHS_BACK + MONTHS_AHEAD + 1 }, (_, at) => at - MONTHS_BACK);
  return retentions.flatMap((retention) =>
    months.map((offset) => {
      const from = firstOfMonth(moment, offset);
      const parent = `audit_event_${retention}`;
      return {
        name: `${parent}_${from.slice(0, 7).replace('-', '_')}`,
        parent,
        from,
        to: firstOfMonth(moment, offset + 1),
      };
    }),
  );
}

function firstOfMonth(moment: Date, offset: number): string {
  return new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + offset, 1)).toISOString().slice(0, 10);
}
