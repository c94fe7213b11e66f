import { createHash } from 'node:crypto';
import { aiV1, parseUsd, type SnapshotModel } from '@sallyport/contracts';

type Price = NonNullable<SnapshotModel['targets'][number]['price']>;

const MILLION = 1_000_000;

/** Served, recorded, and without a cost: nobody said what it costs. */
export const UNPRICED: aiV1.PriceLines = Object.freeze({ version: '', lines: [], unpriced: true });

/** Costs nothing, and that is known. */
export const FREE: aiV1.PriceLines = compilePrice({ inputPerMillion: '0', outputPerMillion: '0', currency: 'USD' });

/**
 * Turns decimal prices per million tokens into whole pico-USD; exact, since configuration has at most 12 decimals.
 * The version is the hash of the lines, so that a receipt says for good which prices it was made with.
 */
export function compilePrice(price: Price): aiV1.PriceLines {
  const lines = [
    line(aiV1.Unit.UNIT_INPUT_TOKEN, price.inputPerMillion),
    line(aiV1.Unit.UNIT_OUTPUT_TOKEN, price.outputPerMillion),
    ...(price.cacheReadPerMillion === undefined
      ? []
      : [line(aiV1.Unit.UNIT_CACHE_READ_TOKEN, price.cacheReadPerMillion)]),
  ];
  return Object.freeze({ version: versionOf(lines), lines, unpriced: false });
}

function line(unit: aiV1.Unit, perMillion: string): aiV1.PriceLine {
  return Object.freeze({ unit, picoUsd: parseUsd(perMillion), per: MILLION });
}

function versionOf(lines: readonly aiV1.PriceLine[]): string {
  const text = lines.map(({ unit, picoUsd, per }) => `${unit}:${picoUsd}/${per}`).join(' ');
  return `p_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}
