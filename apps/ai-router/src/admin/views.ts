import { aiV1, formatUsd } from '@sallyport/contracts';
import type { CompiledModel } from '@sallyport/ai';
import type { ReceiptRow, SpendRow } from '../ledger/receipts';

/** A receipt as the admin API shows it: money as decimal text, null where nobody had said what the model costs. */
export function receiptView(row: ReceiptRow) {
  return {
    id: row.id,
    at: row.at.toISOString(),
    requestId: row.request_id,
    attempt: row.n,
    consumer: row.consumer,
    credential: row.credential,
    virtualModel: row.virtual_model,
    provider: row.provider,
    model: row.model,
    outcome: row.outcome,
    status: row.status,
    usage: {
      source: row.source,
      input: Number(row.input),
      cacheRead: Number(row.cache_read),
      cacheWrite5m: Number(row.cache_write_5m),
      cacheWrite1h: Number(row.cache_write_1h),
      inputAudio: Number(row.input_audio),
      inputImage: Number(row.input_image),
      output: Number(row.output),
      reasoning: Number(row.reasoning),
      outputAudio: Number(row.output_audio),
      outputImage: Number(row.output_image),
    },
    cost: row.cost_pico_usd === null ? null : formatUsd(BigInt(row.cost_pico_usd)),
    currency: 'USD',
    unpriced: row.unpriced,
    priceVersion: row.price_version,
    headMs: Number(row.head_ms),
    firstContentMs: Number(row.first_content_ms),
    totalMs: Number(row.total_ms),
  };
}

export function spendView(row: SpendRow) {
  return {
    day: row.day,
    virtualModel: row.virtual_model,
    attempts: Number(row.attempts),
    inputTokens: Number(row.input),
    outputTokens: Number(row.output),
    cost: formatUsd(BigInt(row.cost_pico_usd)),
    currency: 'USD',
    /** Attempts whose cost is not in the sum, since nobody had said it. */
    unpriced: Number(row.unpriced),
  };
}

/** @param hasCredential whether a credential of this id is at hand; the credential itself is never shown. */
export function modelView({ name, plain }: CompiledModel, hasCredential: (id: string) => boolean) {
  return {
    name,
    targets: plain.attempts.map((attempt) => ({
      provider: attempt.provider,
      model: attempt.model,
      wire: attempt.wire === aiV1.Wire.WIRE_ECHO ? 'echo' : 'openai-chat',
      url: attempt.url === '' ? null : attempt.url,
      credential: attempt.credential === '' ? 'none' : hasCredential(attempt.credential) ? 'present' : 'missing',
      unpriced: attempt.price?.unpriced ?? true,
      priceVersion: attempt.price?.version ?? '',
    })),
  };
}
