import { processorMillis } from '@sallyport/testkit';
import type { Bytes } from '../bytes';
import type { Syntax } from './ast';
import { partsOf } from './ast';
import { compileRegex } from './compile-regex';
import { LazyDfa, StatePool } from './lazy-dfa';
import { readRegex } from './parser';
import { assemble } from './program';
import { ruleExpressions } from './rule-expressions.suite';
import { randomNumbers, textOf } from './texts-of-syntax.suite';

const LENGTH = 16 * 1024;

/** For each repeat without a bound: what leads to it, and what it repeats. */
function pumpsOf(syntax: Syntax, before: readonly Syntax[] = []): { before: readonly Syntax[]; body: Syntax }[] {
  const own = syntax.kind === 'repeat' && syntax.most === Infinity ? [{ before, body: syntax.body }] : [];
  if (syntax.kind !== 'sequence') return [...own, ...partsOf(syntax).flatMap((part) => pumpsOf(part, before))];
  return syntax.parts.flatMap((part, index) => pumpsOf(part, [...before, ...syntax.parts.slice(0, index)]));
}

function pumped({ before, body }: ReturnType<typeof pumpsOf>[number], random: () => number): Bytes {
  const start = before.map((part) => textOf(part, random)).join('');
  const unit = textOf(body, random) || 'a';
  return (start + unit.repeat(Math.ceil(LENGTH / unit.length))).slice(0, LENGTH - 1) + '\x01';
}

describe('time', () => {
  it('grows with the text only, for every repeat of the Core Rule Set pumped', () => {
    const slow: string[] = [];
    for (const [index, source] of ruleExpressions().entries()) {
      const { syntax } = readRegex(source, { multiline: true });
      const pattern = compileRegex(source, { multiline: true });
      const random = randomNumbers(index + 1);
      // Repeats of one pattern are much alike: the first ones of it, and every tenth of the others.
      const pumps = pumpsOf(syntax).filter((_, number) => number < 4 || number % 10 === 0);
      for (const pump of pumps.slice(0, 12)) {
        const text = pumped(pump, random);
        const millis = processorMillis(250, () => void pattern.test(text));
        if (millis > 250) slow.push(`${millis} ms: ${JSON.stringify(text.slice(0, 40))} for ${source.slice(0, 60)}`);
      }
    }
    expect(slow).toEqual([]);
  }, 300_000);

  it.each(['(a|a)*b', '(?:a+)+$\\x00', '(.*)(.*)(.*)x', '(?i)(\\w+\\s*)+\\d{9}z', '(a?){40}a{40}b'])(
    'of %s is linear, groups and all',
    (source) => {
      const pattern = compileRegex(source, { multiline: true });
      expect(processorMillis(1_000, () => pattern.test('a'.repeat(128 * 1024)))).toBeLessThan(1000);
      expect(processorMillis(1_500, () => pattern.exec('a'.repeat(16 * 1024)))).toBeLessThan(1500);
    },
  );

  it('of a reference is bounded; a text that wears it out counts as found', () => {
    const pattern = compileRegex('(a*)*(a*)*(a*)*\\1b$', { multiline: false });
    expect(processorMillis(1_000, () => pattern.test('a'.repeat(4000) + 'b!b'))).toBeLessThan(1000);
    expect(compileRegex('(a*)*\\1c', { multiline: false }).test('a'.repeat(4000))).toBe(false);
  });
});

describe('memory', () => {
  /** Each place of the last 14 bytes at which an `a` stands makes another state. */
  const explosive = assemble(readRegex('a.{14}b\\z', { multiline: true }).syntax);

  it('stays bounded where a pattern has more states than fit, and the answer right', () => {
    const pool = new StatePool(1024 * 1024);
    const automaton = new LazyDfa(explosive, pool);
    const random = randomNumbers(7);
    const text = Array.from({ length: 40_000 }, () => (random() < 0.5 ? 'a' : 'c')).join('');
    expect(automaton.test(text)).toBe(false);
    expect(automaton.test(`${text}a${'c'.repeat(14)}b`)).toBe(true);
    expect(automaton.size).toBeLessThanOrEqual(8192);
  });

  it('is taken from the automata that were not used for longest', () => {
    const pool = new StatePool(64 * 1024);
    const automata = Array.from({ length: 8 }, () => new LazyDfa(explosive, pool));
    const random = randomNumbers(9);
    const text = Array.from({ length: 300 }, () => (random() < 0.5 ? 'a' : 'c')).join('');
    for (const automaton of automata) automaton.test(text);
    expect(automata[0]!.size).toBe(0);
    expect(automata[7]!.size).toBeGreaterThan(0);
    expect(pool.size).toBeLessThanOrEqual(64 * 1024);
  });

  it('of a pool in which one automaton has no room does not make the others give theirs back without end', () => {
    const pool = new StatePool(256);
    const automata = Array.from({ length: 8 }, () => new LazyDfa(explosive, pool));
    for (let round = 0; round < 3; round++) {
      for (const automaton of automata) {
        expect(automaton.test(`${'ac'.repeat(50)}a${'c'.repeat(14)}b`)).toBe(true);
        expect(automaton.test('ac'.repeat(50))).toBe(false);
      }
    }
    expect(automata.filter(({ size }) => size > 0)).toHaveLength(1);
  });
});
