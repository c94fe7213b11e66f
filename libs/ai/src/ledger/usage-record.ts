import { aiV1, uuidv7Time, type Json } from '@sallyport/contracts';
import { z } from 'zod';
import { noUsage, type Usage } from '../usage';

/**
 * A settlement on its way to the ledger, as the usage lane of a trail takes it: `trail.append(usageRecord(s))`. Members
 * stand in sorted order, which spares the lane a sort.
 */
export interface UsageRecord {
  readonly uid: string;
  readonly kind: 'usage.settled';
  readonly tenant: string;
  readonly body: { readonly [name: string]: Json | undefined };
}

const outcomes = {
  ok: aiV1.Outcome.OUTCOME_OK,
  client_aborted: aiV1.Outcome.OUTCOME_CLIENT_ABORTED,
  upstream_error: aiV1.Outcome.OUTCOME_UPSTREAM_ERROR,
  upstream_timeout: aiV1.Outcome.OUTCOME_UPSTREAM_TIMEOUT,
  refused: aiV1.Outcome.OUTCOME_REFUSED,
} as const;
export type OutcomeName = keyof typeof outcomes;

const sources = {
  reported: aiV1.UsageSource.USAGE_SOURCE_REPORTED,
  estimated: aiV1.UsageSource.USAGE_SOURCE_ESTIMATED,
  none: aiV1.UsageSource.USAGE_SOURCE_NONE,
} as const;
export type SourceName = keyof typeof sources;

/** `client_aborted` and its like: how outcomes are written in records, receipts and metrics. */
export function outcomeName(outcome: aiV1.Outcome): OutcomeName {
  return nameOf(outcomes, outcome);
}

export function sourceName(source: aiV1.UsageSource): SourceName {
  return nameOf(sources, source);
}

function nameOf<Name extends string, Value>(table: Readonly<Record<Name, Value>>, value: Value): Name {
  const name = (Object.keys(table) as Name[]).find((candidate) => table[candidate] === value);
  if (name === undefined) throw new RangeError(`no name for ${String(value)}`);
  return name;
}

/** @returns what the usage lane keeps of a settlement; money and counts as whole numbers in text. */
export function usageRecord(settlement: aiV1.Settlement): UsageRecord {
  const usage = settlement.usage ?? noUsage();
  const settled = {
    consumer: settlement.consumer,
    cost_pico_usd: settlement.unpriced ? null : String(settlement.costPicoUsd),
    credential: settlement.credential,
    first_content_ms: settlement.firstContentMs,
    head_ms: settlement.headMs,
    model: settlement.model,
    n: settlement.n,
    outcome: outcomeName(settlement.outcome),
    price_version: settlement.priceVersion,
    provider: settlement.provider,
    request_id: settlement.requestId,
    source: sourceName(settlement.source),
    status: settlement.status,
    tenant: settlement.tenant,
    total_ms: settlement.totalMs,
    usage: {
      cache_read: String(usage.cacheRead),
      cache_write_1h: String(usage.cacheWrite1h),
      cache_write_5m: String(usage.cacheWrite5m),
      input: String(usage.input),
      input_audio: String(usage.inputAudio),
      input_image: String(usage.inputImage),
      output: String(usage.output),
      output_audio: String(usage.outputAudio),
      output_image: String(usage.outputImage),
      reasoning: String(usage.reasoning),
    },
    virtual_model: settlement.virtualModel,
  };
  return {
    uid: settlement.eventId,
    kind: 'usage.settled',
    tenant: settlement.tenant,
    body: { kind: 'usage.settled', settlement: settled, time: uuidv7Time(settlement.eventId) },
  };
}

/** A whole number below 10¹⁸, which every column of the ledger holds. */
const count = z
  .string()
  .regex(/^\d{1,18}$/)
  .transform(BigInt);
const milliseconds = z.int().min(0);
const shortText = z.string().max(1024);

const settledSchema = z.object({
  consumer: shortText,
  cost_pico_usd: count.nullable(),
  credential: shortText,
  first_content_ms: milliseconds,
  head_ms: milliseconds,
  model: shortText,
  n: z.int().min(1).max(1000),
  outcome: z.enum(Object.keys(outcomes) as [OutcomeName, ...OutcomeName[]]),
  price_version: shortText,
  provider: shortText,
  request_id: z.string().min(1).max(128),
  source: z.enum(Object.keys(sources) as [SourceName, ...SourceName[]]),
  status: z.int().min(0).max(999),
  tenant: z.string().regex(/^[a-z0-9-]{1,63}$/),
  total_ms: milliseconds,
  usage: z.object({
    cache_read: count,
    cache_write_1h: count,
    cache_write_5m: count,
    input: count,
    input_audio: count,
    input_image: count,
    output: count,
    output_audio: count,
    output_image: count,
    reasoning: count,
  }),
  virtual_model: shortText,
});

// The lane adds members of its own (`metadata`, `attestation_list`): they are not the ledger's business.
const recordSchema = z.object({
  kind: z.literal('usage.settled'),
  metadata: z.object({ uid: z.uuid({ version: 'v7' }) }),
  settlement: settledSchema,
});

/**
 * Reads a record of the usage lane back.
 * @param bytes one body of a batch; anyone who may publish could have written it.
 * @throws an error that says what is wrong with it.
 */
export function readUsageRecord(bytes: Uint8Array): aiV1.Settlement {
  const { metadata, settlement } = recordSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  return {
    requestId: settlement.request_id,
    n: settlement.n,
    outcome: outcomes[settlement.outcome],
    status: settlement.status,
    usage: readUsage(settlement.usage),
    source: sources[settlement.source],
    costPicoUsd: settlement.cost_pico_usd ?? 0n,
    priceVersion: settlement.price_version,
    headMs: settlement.head_ms,
    firstContentMs: settlement.first_content_ms,
    totalMs: settlement.total_ms,
    unpriced: settlement.cost_pico_usd === null,
    virtualModel: settlement.virtual_model,
    provider: settlement.provider,
    model: settlement.model,
    tenant: settlement.tenant,
    consumer: settlement.consumer,
    credential: settlement.credential,
    eventId: metadata.uid,
  };
}

function readUsage(usage: z.output<typeof settledSchema>['usage']): Usage {
  return {
    input: usage.input,
    cacheRead: usage.cache_read,
    cacheWrite5m: usage.cache_write_5m,
    cacheWrite1h: usage.cache_write_1h,
    inputAudio: usage.input_audio,
    inputImage: usage.input_image,
    output: usage.output,
    reasoning: usage.reasoning,
    outputAudio: usage.output_audio,
    outputImage: usage.output_image,
  };
}
