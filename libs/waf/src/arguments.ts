/** One argument of a query, decoded once: `+` is a space, a broken escape stays as it is, bytes are latin1. */
export interface Argument {
  readonly name: string;
  readonly value: string;
}

/** Splits once at `&`, then at the first `=`; repeated names are kept, in order. */
export function splitArguments(query: string): Argument[] {
  if (query === '') return [];
  return query.split('&').map((text) => {
    const equals = text.indexOf('=');
    return equals < 0
      ? { name: decodeOnce(text), value: '' }
      : { name: decodeOnce(text.slice(0, equals)), value: decodeOnce(text.slice(equals + 1)) };
  });
}

function decodeOnce(text: string): string {
  return unescapePercent(text.includes('+') ? text.replaceAll('+', ' ') : text);
}

/** Decodes every well-formed escape once. */
export function unescapePercent(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
