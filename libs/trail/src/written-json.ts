/*
 * Parts of a JSON document that is written as text. What is written is canonical JSON (RFC 8785) where its members are put
 * together in order.
 */

/** What stands in a JSON string as it is. */
const NOT_PLAIN = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;
const REPLACEMENT = '\ufffd';

/** A string as RFC 8785 §3.2.2.2 writes it; what neither it nor Postgres can hold is replaced. */
export function text(value: string): string;
export function text(value: string | undefined): string | undefined;
export function text(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  return NOT_PLAIN.test(value) ? JSON.stringify(storable(value)) : `"${value}"`;
}

/** Names that recur are few; were there more, they would be learned anew. */
const MOST_KNOWN = 1_024;
const LONGEST_KNOWN = 128;
const known = new Map<string, string>();

/**
 * As {@link text}, for what comes again with the next record: names of routes, callers, outcomes. Their text is kept, so that
 * nobody looks through it twice.
 */
export function name(value: string): string;
export function name(value: string | undefined): string | undefined;
export function name(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const before = known.get(value);
  if (before !== undefined) return before;
  const written = text(value);
  if (value.length > LONGEST_KNOWN) return written;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(value, written);
  return written;
}

/** RFC 8785 §3.2.2.3 writes numbers as ECMAScript does; what is none is null, as in JSON.stringify. */
export function number(value: number): string;
export function number(value: number | undefined): string | undefined;
export function number(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return Number.isFinite(value) ? `${value}` : 'null';
}

/** A member behind others; nothing where there is no value. @param written its value in JSON */
export function after(name: string, written: string | undefined): string {
  return written === undefined ? '' : `,"${name}":${written}`;
}

/** A member in front of others; nothing where there is no value. @param written its value in JSON */
export function before(name: string, written: string | undefined): string {
  return written === undefined ? '' : `"${name}":${written},`;
}

/** An object of members each of which was written as one behind others. */
export function objectOf(members: string): string {
  return `{${members.slice(1)}}`;
}

/** Without U+0000 and lone surrogates. */
export function storable(value: string): string {
  return value.toWellFormed().replaceAll('\0', REPLACEMENT);
}
