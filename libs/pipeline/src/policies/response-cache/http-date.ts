const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)';
const FORMS: readonly RegExp[] = [
  new RegExp(`^[a-z]{3}, (?<day>\\d\\d) (?<month>[a-z]{3}) (?<year>\\d{4}) ${TIME} gmt$`),
  new RegExp(`^[a-z]{6,9}, (?<day>\\d\\d)-(?<month>[a-z]{3})-(?<year>\\d\\d) ${TIME} gmt$`),
  new RegExp(`^[a-z]{3} (?<month>[a-z]{3}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/**
 * Reads a date of HTTP in its three forms (RFC 9110 §5.6.7).
 * @param now milliseconds since the epoch: a year of two digits lies at most fifty years ahead.
 * @returns milliseconds since the epoch; undefined for anything else.
 */
export function readHttpDate(text: string, now: number): number | undefined {
  const lower = text.toLowerCase();
  for (const form of FORMS) {
    const match = form.exec(lower);
    if (!match) continue;
    const { day, month, year, hour, minute, second } = match.groups!;
    return dateOf(fullYear(year!, now), MONTHS.indexOf(month!), [day, hour, minute, second].map(Number));
  }
  return undefined;
}

function fullYear(year: string, now: number): number {
  if (year.length === 4) return Number(year);
  const thisYear = new Date(now).getUTCFullYear();
  const inThisCentury = thisYear - (thisYear % 100) + Number(year);
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury;
}

function dateOf(year: number, month: number, parts: readonly number[]): number | undefined {
  const [day = 0, hour = 0, minute = 0, second = 0] = parts;
  if (month < 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  return Date.UTC(year, month, day, hour, minute, second);
}
