/** Directives of Cache-Control by lower-case name; the argument without its quotes, or empty where there is none. */
export type Directives = ReadonlyMap<string, string>;

const NONE: Directives = new Map();
const UNREADABLE: Directives = new Map([['no-store', '']]);
const DIRECTIVE =
  /[\t ,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"((?:[^"\\]|\\.)*)"))?[\t ]*(?=,|$)/y;

/**
 * Reads Cache-Control (RFC 9111 §5.2). What cannot be read counts as `no-store`, and of a directive that stands twice
 * with different arguments the first counts (§4.2.1 lets a cache choose; a cache that guesses serves what it must not).
 * @param text all fields of the name, joined by commas
 */
export function readCacheControl(text: string | undefined): Directives {
  if (text === undefined) return NONE;
  const directives = new Map<string, string>();
  const end = endOfList(text);
  DIRECTIVE.lastIndex = 0;
  while (DIRECTIVE.lastIndex < end) {
    const match = DIRECTIVE.exec(text);
    if (!match) return UNREADABLE;
    const name = match[1]!.toLowerCase();
    if (!directives.has(name)) directives.set(name, match[2] ?? match[3] ?? '');
  }
  return directives;
}

/** Empty members of a list are allowed (RFC 9110 §5.6.1). */
function endOfList(text: string): number {
  let end = text.length;
  while (end > 0 && ' \t,'.includes(text[end - 1]!)) end -= 1;
  return end;
}

/** No answer is fresh for longer than a cache can count (RFC 9111 §1.2.2). */
const MAX_SECONDS = 2_147_483_648;

/**
 * @returns the seconds a directive names; 0 where its argument is no number, so that what is broken is stale
 * (RFC 9111 §4.2.1); undefined where there is no such directive.
 */
export function seconds(directives: Directives, name: string): number | undefined {
  const argument = directives.get(name);
  if (argument === undefined) return undefined;
  return /^\d+$/.test(argument) ? Math.min(Number(argument), MAX_SECONDS) : 0;
}
