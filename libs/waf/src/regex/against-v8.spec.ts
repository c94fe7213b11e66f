import { createContext, Script } from 'node:vm';
import fc from 'fast-check';
import type { Bytes, ByteSet } from '../bytes';
import { contains, mayBeEmpty, type Syntax } from './ast';
import { compileRegex } from './compile-regex';
import { neededForTexts } from './needs';
import { readRegex } from './parser';
import { ruleExpressions } from './rule-expressions.suite';
import { disturbed, randomNumbers, textOf } from './texts-of-syntax.suite';
import { v8Source } from './v8-source.suite';

const atom = fc.constantFrom(
  ...['a', 'b', 'A', '_', '-', '\\n', '.', '[ab]', '[^a]', '\\w', '\\W', '\\s', '[^\\n]', '\\x41', '(?i:b)', ''],
  ...['^', '$', '\\b', '\\B', '\\A', '\\z', '\\Z'],
);
const quantifier = fc.constantFrom('', '', '', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{0,2}?', '{2,}');

/**
 * Patterns of every construct V8 knows, over few bytes, so that texts match them by chance. They are neither deep nor the texts long:
 * V8 tries all ways there are.
 */
const pattern = fc.letrec<{ pattern: Bytes; sequence: Bytes; part: Bytes }>((tie) => ({
  pattern: fc.array(tie('sequence'), { minLength: 1, maxLength: 3 }).map((options) => options.join('|')),
  sequence: fc.array(tie('part'), { maxLength: 4 }).map((parts) => parts.join('')),
  part: fc.oneof(
    { maxDepth: 2 },
    fc.tuple(atom, quantifier).map(([text, count]) => (/^[$^]?$|^\\[bBAzZ]$/.test(text) ? text : text + count)),
    fc
      .tuple(fc.constantFrom('(', '(?:', '(?:', '(?=', '(?!', '(?<=', '(?<!'), tie('pattern'), quantifier)
      .map(([open, body, count]) => (/[=!]/.test(open) ? `${open}${withoutGroups(body)})` : `${open}${body})${count}`)),
  ),
})).pattern;

/** Groups that lookarounds set are found by trying, which may take too long to tell. */
function withoutGroups(source: Bytes): Bytes {
  return source.replace(/\((?!\?)/g, '(?:');
}

const ALPHABET = 'abAB_-\n \xe9';

describe('V8', () => {
  it('is not waited for when it does not come to an end: a test once hung on this pattern', () => {
    const source =
      '[^\\n]{1,3}\\W{2,}(A*?(?:\\Z|_??){0,2}?){1,3}\\B|\\A((?<!)b{2}){2,}|(|(?:\\Z\\s?|b*?.?a?){1,3}(?:\\b|\\bA+?\\s|\\x41){2,}|(.*?|\\W\\Z|(?i:b)*?){2}(?:[ab]??A+?^)?\\n*)+?\\bb{2}';
    expect(comparedWithV8(source, true).expectSame(['a\n__A\n_\xe9a'])).toBe(false);
  });
});

describe('an expression answers as V8 does to the same pattern spelled out', () => {
  it('for generated patterns and texts, with and without lines', () => {
    let pairs = 0;
    fc.assert(
      fc.property(pattern, fc.boolean(), fc.nat(), (source, multiline, seed) => {
        const compared = comparedWithV8(source, multiline);
        const random = randomNumbers(seed + 1);
        const texts = Array.from({ length: 40 }, () => {
          const start = random() < 0.5 ? '' : textOf(compared.syntax, random).slice(0, 6);
          return disturbed(start + randomText(random, 8 - start.length), random, ALPHABET);
        });
        if (compared.expectSame(texts)) pairs += texts.length;
      }),
      { numRuns: 5000 },
    );
    // All of them but a few patterns that V8 does not come to an end with.
    expect(pairs).toBeGreaterThanOrEqual(199_000);
  }, 300_000);

  it('for the expressions of the Core Rule Set', () => {
    const expressions = ruleExpressions();
    let pairs = 0;
    for (const [index, source] of expressions.entries()) {
      const compared = comparedWithV8(source, index % 2 === 0);
      const random = randomNumbers(index + 1);
      const texts = Array.from({ length: 400 }, () =>
        disturbed(textOf(compared.syntax, random).slice(0, 60), random, `abz09 ='"<>()/\\;:.-_\n\r\xe9`),
      );
      if (compared.expectSame(texts)) pairs += texts.length;
    }
    if (expressions.length > 0) expect(pairs).toBeGreaterThanOrEqual(100_000);
  }, 300_000);
});

/** A part, and the same for V8, which has no possessive quantifiers: what a lookahead took is not given back. */
const taken = fc
  .tuple(
    fc.constantFrom('a', '[ab]', '[^a]', '\\s', '\\w', '.', '(?i:b)'),
    fc.constantFrom('*', '+', '{2,}'),
    fc.constantFrom('', '', 'a', 'b?', '\\b', '$', '[^b]', '(?:a|-b?)'),
  )
  .map(([bytes, count, after]) => ({
    ours: `(?:${bytes}${count}+${after})`,
    theirs: (name: string) => `(?:(?=(?<${name}>${inV8(bytes)}${count}))\\k<${name}>${inV8(after)})`,
  }));

function inV8(source: Bytes): string {
  return v8Source(readRegex(source, { multiline: true }).syntax);
}

describe('a loop over bytes that gives nothing back', () => {
  it('is told by an automaton, as V8 tells it by a lookahead and a reference', () => {
    const loops = fc.array(fc.tuple(taken, fc.constantFrom('', '', '*', '?')), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(loops, fc.boolean(), fc.nat(), (parts, whole, seed) => {
        const around = (text: string) => (whole ? `\\A${text}\\z` : text);
        const source = around(parts.map(([{ ours }, rounds]) => ours + rounds).join(''));
        const ours = compileRegex(source, { multiline: true });
        expect(ours.exact).toBe(true);
        const inside = parts.map(([{ theirs }, rounds], at) => theirs(`kept${at}`) + rounds).join('');
        const theirs = new RegExp(whole ? `(?<![^])${inside}(?![^])` : inside);
        const random = randomNumbers(seed + 1);
        const texts = Array.from({ length: 40 }, () => {
          const start = random() < 0.5 ? '' : textOf(readRegex(source, { multiline: true }).syntax, random).slice(0, 8);
          return disturbed(start + randomText(random, 8 - start.length), random, ALPHABET);
        });
        const expected = matchesInV8(theirs, texts);
        if (!expected) return;
        for (const [at, text] of texts.entries()) {
          const where = JSON.stringify({ source, text });
          if (ours.test(text) !== (expected[at] !== null)) throw new Error(`test() differs: ${where}`);
          if (ours.exec(text)?.[0] !== expected[at]?.[0]) throw new Error(`exec() differs: ${where}`);
        }
      }),
      { numRuns: 3000 },
    );
  }, 300_000);
});

function randomText(random: () => number, most: number): Bytes {
  let text = '';
  for (let left = Math.floor(random() * most); left > 0; left--)
    text += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return text;
}

const PATIENCE_MS = 1_000;
const v8 = createContext({ expression: /x/, texts: [] as readonly Bytes[] });
const matches = new Script('texts.map((text) => expression.exec(text))');

/**
 * V8 tries all the ways there are: of loops in loops whose rounds may be empty they are more than anybody waits for.
 * @returns undefined where it does not come to an end with all of the texts.
 */
function matchesInV8(expression: RegExp, texts: readonly Bytes[]): (RegExpExecArray | null)[] | undefined {
  try {
    return matches.runInContext(Object.assign(v8, { expression, texts }), {
      timeout: PATIENCE_MS,
    }) as (RegExpExecArray | null)[];
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
    throw error;
  }
}

/** `expectSame` says whether V8 came to an end. */
function comparedWithV8(source: Bytes, multiline: boolean): { syntax: Syntax; expectSame(texts: Bytes[]): boolean } {
  const { syntax } = readRegex(source, { multiline });
  const ours = compileRegex(source, { multiline });
  const theirs = new RegExp(v8Source(syntax));
  const neededSets = [...ours.needs, ...ours.required.map(neededForTexts)];
  const comparesSpan = !hasEmptyRounds(syntax);
  const comparesGroups = comparesSpan && !repeatsGroups(syntax);
  const expectSameOf = (text: Bytes, expected: RegExpExecArray | null) => {
    const found = ours.exec(text);
    const where = () => JSON.stringify({ source, multiline, text });
    if (ours.test(text) !== (expected !== null)) throw new Error(`test() differs: ${where()}`);
    if ((found !== undefined) !== (expected !== null)) throw new Error(`exec() differs: ${where()}`);
    const groups = comparesGroups ? 10 : comparesSpan ? 1 : 0;
    for (let group = 0; found && group < Math.min(groups, found.length); group++) {
      if (found[group] !== expected![group]) throw new Error(`group ${group} differs: ${where()}`);
    }
    if (!expected) return;
    if (!isPossible(ours.required, text)) throw new Error(`required texts are absent: ${where()}`);
    if (!neededSets.every((set) => hasByteOf(set, text))) throw new Error(`needed bytes are absent: ${where()}`);
    if (expected[0].length < ours.shortest) throw new Error(`the match is too short: ${where()}`);
  };
  const expectSame = (texts: Bytes[]) => {
    const expected = matchesInV8(theirs, texts);
    expected?.forEach((match, at) => expectSameOf(texts[at]!, match));
    return expected !== undefined;
  };
  return { syntax, expectSame };
}

function isPossible(required: readonly (readonly Bytes[])[], text: Bytes): boolean {
  const folded = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return required.every((set) => set.some((literal) => folded.includes(literal)));
}

function hasByteOf(set: ByteSet, text: Bytes): boolean {
  return [...text].some((byte) => set.has(byte.charCodeAt(0)));
}

/** JavaScript goes back on a round that took nothing, PCRE goes on after it. */
function hasEmptyRounds(syntax: Syntax): boolean {
  return contains(syntax, (part) => part.kind === 'repeat' && mayBeEmpty(part.body));
}

/** JavaScript clears groups at the start of each round, PCRE keeps them. */
function repeatsGroups(syntax: Syntax): boolean {
  return contains(syntax, (part) => part.kind === 'repeat' && contains(part.body, ({ kind }) => kind === 'group'));
}
