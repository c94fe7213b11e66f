/**
 * Reads an Idempotency-Key: a string of structured fields (draft-ietf-httpapi-idempotency-key-header-07 §2.1), or bare as
 * most clients send it. 8 to 255 visible characters.
 * @returns undefined when it is neither.
 */
export function readKey(text: string): string | undefined {
  const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/.exec(text);
  // Members of a list are several keys, and a comma within a bare key cannot be told from them.
  const key = quoted ? quoted[1]!.replace(/\\(["\\])/g, '$1') : /^[\x21\x23-\x2b\x2d-\x7e]*$/.test(text) ? text : '';
  return key.length >= 8 && key.length <= 255 ? key : undefined;
}
