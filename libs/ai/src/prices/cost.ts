import { aiV1, type PicoUsd } from '@sallyport/contracts';
import { inputTokens, outputTokens, type Usage } from '../usage';

/**
 * What a call cost: Σ count × price ÷ per, added up as one exact fraction and rounded half up once, so that the sum
 * never depends on the order or the number of its parts.
 * @returns undefined when there is no price.
 */
export function costOf(usage: Usage, price: aiV1.PriceLines | undefined): PicoUsd | undefined {
  if (!price || price.unpriced) return undefined;
  let numerator = 0n;
  let denominator = 1n;
  for (const { unit, picoUsd, per } of price.lines) {
    const divisor = BigInt(per);
    numerator = numerator * divisor + countOf(usage, unit, price) * picoUsd * denominator;
    denominator *= divisor;
  }
  return (2n * numerator + denominator) / (2n * denominator);
}

/** Tokens that a line prices; what no line of its own prices falls to the line of its side. */
function countOf(usage: Usage, unit: aiV1.Unit, price: aiV1.PriceLines): bigint {
  switch (unit) {
    case aiV1.Unit.UNIT_INPUT_TOKEN:
      return inputTokens(usage) - (hasLine(price, aiV1.Unit.UNIT_CACHE_READ_TOKEN) ? usage.cacheRead : 0n);
    case aiV1.Unit.UNIT_CACHE_READ_TOKEN:
      return usage.cacheRead;
    case aiV1.Unit.UNIT_OUTPUT_TOKEN:
      return outputTokens(usage);
    default:
      return 0n;
  }
}

function hasLine(price: aiV1.PriceLines, unit: aiV1.Unit): boolean {
  return price.lines.some((line) => line.unit === unit);
}
