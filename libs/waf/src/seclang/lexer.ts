import type { Bytes } from '../bytes';
import { RuleError, type Place, type RuleFile } from './rule-source';

/** One directive as it stands in a file: continued lines joined, quotes taken off. */
export interface DirectiveText {
  readonly place: Place;
  readonly name: string;
  readonly arguments: readonly Bytes[];
}

/**
 * Takes a rule file apart. A line that ends in a backslash goes on in the next; a line whose first character is `#` is a comment.
 * @throws RuleError at a quote that is not closed, or at a last line that wants to go on
 */
export function* directivesOf(file: RuleFile): Generator<DirectiveText> {
  for (const { place, text } of logicalLines(file)) {
    const [name, ...rest] = wordsOf(text, place);
    yield { place, name: name!, arguments: rest };
  }
}

function* logicalLines({ name, text }: RuleFile): Generator<{ place: Place; text: Bytes }> {
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const place = { file: name, line: at + 1 };
    let whole = lines[at]!.trim();
    if (whole === '' || whole.startsWith('#')) continue;
    while (whole.endsWith('\\')) {
      at++;
      if (at >= lines.length) throw new RuleError(place, firstWord(whole), 'the last line ends in a backslash');
      whole = whole.slice(0, -1) + withoutEnd(lines[at]!);
    }
    if (whole.trim() !== '') yield { place, text: whole };
  }
}

/** White space at the end of a line never counts, a carriage return least of all; at its start it may be part of a quoted text. */
function withoutEnd(line: string): string {
  return line.trimEnd();
}

function firstWord(text: string): string {
  return /^\S*/.exec(text)![0];
}

const SPACE = /\s/;

function wordsOf(text: Bytes, place: Place): Bytes[] {
  const words: Bytes[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    if (SPACE.test(character)) {
      at++;
    } else if (character === '"' || character === "'") {
      const end = closingQuote(text, at);
      if (end < 0) throw new RuleError(place, firstWord(text), `a ${character} is not closed`);
      words.push(unescapeQuotes(text.slice(at + 1, end), character));
      at = end + 1;
    } else {
      const start = at;
      while (at < text.length && !SPACE.test(text[at]!)) at++;
      words.push(text.slice(start, at));
    }
  }
  return words;
}

/** @returns index of the quote that closes the one at `open`, -1 where none does. */
export function closingQuote(text: Bytes, open: number): number {
  const quote = text[open]!;
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at;
  }
  return -1;
}

/** Takes the backslash off escaped quotes and leaves every other where it is: patterns are full of them. */
export function unescapeQuotes(text: Bytes, quote: string): Bytes {
  return text.replaceAll(`\\${quote}`, quote);
}
