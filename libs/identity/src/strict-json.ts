/** Claims and headers are flat; what nests deeper than this is not one. */
const MAX_DEPTH = 16;

/**
 * Reads a JSON object in which no member, at any depth, stands twice: two readers could keep different ones
 * (RFC 8725 §2.4, RFC 7519 §4).
 * @returns undefined when the text is not such an object.
 */
export function parseStrictObject(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return hasUniqueMembers(text) ? (value as Record<string, unknown>) : undefined;
}

/** @param text JSON that is known to be well-formed. */
function hasUniqueMembers(text: string): boolean {
  const open: Array<Set<string>> = [];
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '{' || character === '[') {
      if (open.push(new Set()) > MAX_DEPTH) return false;
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      const end = endOfString(text, index);
      // In well-formed JSON a string before a colon is the name of a member. Names are compared unescaped.
      if (text[afterSpace(text, end)] === ':') {
        const name = JSON.parse(text.slice(index, end)) as string;
        const members = open.at(-1)!;
        if (members.has(name)) return false;
        members.add(name);
      }
      index = end - 1;
    }
  }
  return true;
}

/** Index behind the closing quotation mark of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (text[index] !== '"') index += text[index] === '\\' ? 2 : 1;
  return index + 1;
}

function afterSpace(text: string, start: number): number {
  let index = start;
  while (' \t\n\r'.includes(text[index] ?? '.')) index++;
  return index;
}
