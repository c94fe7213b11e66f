/** Money is a whole number of pico-USD (10⁻¹² USD) inside, decimal text outside; never a float. */
export type PicoUsd = bigint;

const PICO_DIGITS = 12;

/**
 * Reads a decimal amount of USD, such as `0.15` or `12`.
 * @throws RangeError when it is not a plain decimal, negative, or finer than 12 digits.
 */
export function parseUsd(text: string): PicoUsd {
  const match = /^(\d{1,12})(?:\.(\d{1,12}))?$/.exec(text);
  if (!match) throw new RangeError(`not a decimal amount of USD: ${text.slice(0, 40)}`);
  return BigInt(match[1]!) * 10n ** BigInt(PICO_DIGITS) + BigInt((match[2] ?? '').padEnd(PICO_DIGITS, '0'));
}

/** Writes pico-USD as the shortest decimal text: `0.00012`. */
export function formatUsd(amount: PicoUsd): string {
  const negative = amount < 0n;
  const digits = (negative ? -amount : amount).toString().padStart(PICO_DIGITS + 1, '0');
  const whole = digits.slice(0, -PICO_DIGITS);
  const fraction = digits.slice(-PICO_DIGITS).replace(/0+$/, '');
  return `${negative ? '-' : ''}${whole}${fraction && `.${fraction}`}`;
}
