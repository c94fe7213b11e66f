const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Reads a duration such as `250ms`, `5s`, `2m`, `12h`, `90d`.
 * @returns milliseconds
 * @throws RangeError when it is not of that form.
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new RangeError(`not a duration such as 250ms, 5s, 2m, 12h or 90d: ${text.slice(0, 40)}`);
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}
