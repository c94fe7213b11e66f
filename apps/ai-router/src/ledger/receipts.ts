import { commonV1, uuidv7Time, type aiV1 } from '@sallyport/contracts';
import { outcomeName, sourceName, type OutcomeName, type SourceName } from '@sallyport/ai';
import type { EntityManager } from 'typeorm';
import { SCHEMA } from './ledger-tables';

const TABLE = `${SCHEMA}.ai_receipt`;

const COLUMNS = `at timestamptz, id uuid, tenant text, request_id text, n integer, consumer text, credential text,
  virtual_model text, provider text, model text, outcome text, status integer, source text, input bigint,
  cache_read bigint, cache_write_5m bigint, cache_write_1h bigint, input_audio bigint, input_image bigint,
  output bigint, reasoning bigint, output_audio bigint, output_image bigint, cost_pico_usd numeric, unpriced boolean,
  price_version text, head_ms bigint, first_content_ms bigint, total_ms bigint`;

/** One row as Postgres gives it: numbers wider than 53 bits as text. */
export interface ReceiptRow {
  readonly at: Date;
  readonly id: string;
  readonly tenant: string;
  readonly request_id: string;
  readonly n: number;
  readonly consumer: string;
  readonly credential: string;
  readonly virtual_model: string;
  readonly provider: string;
  readonly model: string;
  readonly outcome: OutcomeName;
  readonly status: number;
  readonly source: SourceName;
  readonly input: string;
  readonly cache_read: string;
  readonly cache_write_5m: string;
  readonly cache_write_1h: string;
  readonly input_audio: string;
  readonly input_image: string;
  readonly output: string;
  readonly reasoning: string;
  readonly output_audio: string;
  readonly output_image: string;
  readonly cost_pico_usd: string | null;
  readonly unpriced: boolean;
  readonly price_version: string;
  readonly head_ms: string;
  readonly first_content_ms: string;
  readonly total_ms: string;
}

export interface ReceiptFilter {
  readonly tenant: string;
  readonly from: Date;
  readonly until: Date;
  readonly request?: string;
  readonly consumer?: string;
  readonly model?: string;
  readonly provider?: string;
  readonly outcome?: OutcomeName;
}

export interface SpendRow {
  /** `2026-11-25`, a day in UTC. */
  readonly day: string;
  readonly virtual_model: string;
  readonly attempts: string;
  readonly input: string;
  readonly output: string;
  readonly cost_pico_usd: string;
  readonly unpriced: string;
}

/** The table of receipts. */
export const receipts = {
  /** @returns how many were not there before. */
  async insert(manager: EntityManager, settlements: readonly aiV1.Settlement[]): Promise<number> {
    if (settlements.length === 0) return 0;
    const names = COLUMNS.split(',').map((column) => column.trim().split(' ')[0]);
    const rows: unknown[] = await manager.query(
      `INSERT INTO ${TABLE} (${names.join(', ')})
       SELECT ${names.join(', ')} FROM jsonb_to_recordset($1::jsonb) AS settled (${COLUMNS})
       ON CONFLICT DO NOTHING RETURNING 1`,
      [JSON.stringify(settlements.map(rowOf))],
    );
    return rows.length;
  },

  /** Newest first. @param after position behind the last one shown. */
  async page(
    manager: EntityManager,
    filter: ReceiptFilter,
    after: { at: Date; id: string } | undefined,
    limit: number,
  ): Promise<ReceiptRow[]> {
    return manager.query(
      `SELECT * FROM ${TABLE}
       WHERE tenant = $1 AND at >= $2 AND at < $3
         AND ($4::timestamptz IS NULL OR (at, id) < ($4, $5::uuid))
         AND ($6::text IS NULL OR request_id = $6)
         AND ($7::text IS NULL OR consumer = $7)
         AND ($8::text IS NULL OR virtual_model = $8)
         AND ($9::text IS NULL OR provider = $9)
         AND ($10::text IS NULL OR outcome = $10)
       ORDER BY at DESC, id DESC LIMIT $11`,
      [
        filter.tenant,
        filter.from,
        filter.until,
        after?.at ?? null,
        after?.id ?? null,
        filter.request ?? null,
        filter.consumer ?? null,
        filter.model ?? null,
        filter.provider ?? null,
        filter.outcome ?? null,
        limit,
      ],
    );
  },

  /** What was spent by day and virtual model, in that order. */
  async spend(manager: EntityManager, tenant: string, from: Date, until: Date): Promise<SpendRow[]> {
    return manager.query(
      `SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, virtual_model, count(*) AS attempts,
              sum(input + cache_read + cache_write_5m + cache_write_1h + input_audio + input_image) AS input,
              sum(output + reasoning + output_audio + output_image) AS output,
              coalesce(sum(cost_pico_usd), 0) AS cost_pico_usd,
              count(*) FILTER (WHERE unpriced) AS unpriced
       FROM ${TABLE} WHERE tenant = $1 AND at >= $2 AND at < $3
       GROUP BY 1, 2 ORDER BY 1, 2`,
      [tenant, from, until],
    );
  },
};

/** Numbers go as text: JSON would lose digits of the large ones. */
function rowOf(settlement: aiV1.Settlement): Readonly<Record<string, string | number | boolean | null>> {
  const usage = settlement.usage ?? commonV1.Usage.create();
  return {
    at: new Date(uuidv7Time(settlement.eventId)).toISOString(),
    id: settlement.eventId,
    tenant: settlement.tenant,
    request_id: settlement.requestId,
    n: settlement.n,
    consumer: settlement.consumer,
    credential: settlement.credential,
    virtual_model: settlement.virtualModel,
    provider: settlement.provider,
    model: settlement.model,
    outcome: outcomeName(settlement.outcome),
    status: settlement.status,
    source: sourceName(settlement.source),
    input: String(usage.input),
    cache_read: String(usage.cacheRead),
    cache_write_5m: String(usage.cacheWrite5m),
    cache_write_1h: String(usage.cacheWrite1h),
    input_audio: String(usage.inputAudio),
    input_image: String(usage.inputImage),
    output: String(usage.output),
    reasoning: String(usage.reasoning),
    output_audio: String(usage.outputAudio),
    output_image: String(usage.outputImage),
    cost_pico_usd: settlement.unpriced ? null : String(settlement.costPicoUsd),
    unpriced: settlement.unpriced,
    price_version: settlement.priceVersion,
    head_ms: settlement.headMs,
    first_content_ms: settlement.firstContentMs,
    total_ms: settlement.totalMs,
  };
}
