import { aiV1, canonicalJson, isUuidv7, type Json } from '@sallyport/contracts';

const outcomes = {
  ok: aiV1.Outcome.OUTCOME_OK,
  client_aborted: aiV1.Outcome.OUTCOME_CLIENT_ABORTED,
  upstream_error: aiV1.Outcome.OUTCOME_UPSTREAM_ERROR,
  upstream_timeout: aiV1.Outcome.OUTCOME_UPSTREAM_TIMEOUT,
  refused: aiV1.Outcome.OUTCOME_REFUSED,
} as const;
export type OutcomeName = keyof typeof outcomes;
export const outcomeNames = Object.keys(outcomes) as readonly OutcomeName[];

const sources = {
  reported: aiV1.UsageSource.USAGE_SOURCE_REPORTED,
  estimated: aiV1.UsageSource.USAGE_SOURCE_ESTIMATED,
  none: aiV1.UsageSource.USAGE_SOURCE_NONE,
} as const;
export type SourceName = keyof typeof sources;

/**
 * `client_aborted` and its like: how outcomes are written in receipts, records and metrics.
 * @throws RangeError for one that has no name.
 */
export function outcomeName(outcome: aiV1.Outcome): OutcomeName {
  return nameOf(outcomes, outcome);
}

/** @throws RangeError for one that has no name. */
export function sourceName(source: aiV1.UsageSource): SourceName {
  return nameOf(sources, source);
}

function nameOf<Name extends string, Value>(table: Readonly<Record<Name, Value>>, value: Value): Name {
  const name = (Object.keys(table) as Name[]).find((candidate) => table[candidate] === value);
  if (name === undefined) throw new RangeError(`no name for ${String(value)}`);
  return name;
}

/** A settlement as the usage lane keeps it: canonical JSON of its protobuf JSON form. */
export function writeSettlement(settlement: aiV1.Settlement): Buffer {
  return Buffer.from(canonicalJson(aiV1.Settlement.toJSON(settlement) as Json));
}

const TENANT = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** Every column of the ledger holds a number below it. */
const LARGEST = 10n ** 18n;
const LONGEST_TEXT = 1024;

/**
 * Reads a record of the usage lane back.
 * @param bytes anyone who may publish could have written them.
 * @throws an error that says what is wrong.
 */
export function readSettlement(bytes: Uint8Array): aiV1.Settlement {
  const settlement = aiV1.Settlement.fromJSON(JSON.parse(Buffer.from(bytes).toString('utf8')));
  demand(isUuidv7(settlement.eventId), 'eventId is no UUID version 7');
  demand(TENANT.test(settlement.tenant), 'tenant is no name');
  demand(settlement.requestId !== '', 'requestId is empty');
  demand(settlement.n >= 1, 'n is below 1');
  outcomeName(settlement.outcome);
  sourceName(settlement.source);
  for (const [name, value] of Object.entries({ ...settlement, ...settlement.usage })) {
    if (typeof value === 'bigint') demand(value >= 0n && value < LARGEST, `${name} is out of range`);
    if (typeof value === 'number')
      demand(Number.isInteger(value) && value >= 0 && value < 2 ** 32, `${name} is no count`);
    if (typeof value === 'string') demand(isPlainText(value), `${name} is no text that can be kept`);
  }
  return settlement;
}

/** Postgres keeps no U+0000. */
function isPlainText(text: string): boolean {
  return text.length <= LONGEST_TEXT && !text.includes('\0') && text.isWellFormed();
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`not a settlement: ${otherwise}`);
}
