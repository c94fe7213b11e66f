/**
 * Reads a JSON Pointer (RFC 6901).
 * @returns its parts, unescaped, or undefined when the text is no pointer.
 */
export function readPointer(text: string): readonly string[] | undefined {
  if (text === '') return [];
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined;
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Writes a JSON Pointer. */
export function writePointer(parts: readonly (string | number)[]): string {
  return parts.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** @returns the index a part of a pointer names: digits without a leading zero (RFC 6901 §4); -1 for anything else. */
export function arrayIndex(part: string): number {
  return /^(?:0|[1-9][0-9]{0,8})$/.test(part) ? Number(part) : -1;
}
