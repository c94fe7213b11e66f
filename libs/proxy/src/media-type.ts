/** A media type read once; everything in lower case but the values of parameters. */
export interface MediaType {
  /** `application/json` */
  readonly essence: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** RFC 6838 §4.2: narrower than a token, so that no `%00` or quote hides what the type is. */
const NAME = '[0-9A-Za-z][0-9A-Za-z!#$&^_.+-]{0,126}';
const ESSENCE = new RegExp(`^${NAME}/${NAME}$`);
const PARAMETER = new RegExp(`^ *(${TOKEN})=(?:(${TOKEN})|"([^"\\\\\\x00-\\x1f\\x7f]*)") *$`);

/**
 * Reads a Content-Type (RFC 9110 §8.3.1), strictly: parsers that forgive junk disagree on what is inspected.
 * @returns undefined for anything with a tab, a stray space, a second value or a parameter that is empty or repeated.
 */
export function parseMediaType(text: string): MediaType | undefined {
  const [first = '', ...rest] = text.split(';');
  const essence = first.trimEnd();
  if (!ESSENCE.test(essence) || text.includes('\t')) return undefined;
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const match = PARAMETER.exec(part);
    const name = match?.[1]?.toLowerCase();
    if (!match || !name || parameters.has(name)) return undefined;
    parameters.set(name, match[2] ?? match[3] ?? '');
  }
  return { essence: essence.toLowerCase(), parameters };
}
