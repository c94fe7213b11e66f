import { processorMillis } from '@sallyport/testkit';
import fc from 'fast-check';
import { foldText } from '../bytes';
import { LiteralAutomaton } from './literal-automaton';

const text = (least: number, most: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é', '\0', 'A'), minLength: least, maxLength: most });
const literals = fc.uniqueArray(text(1, 6).map(foldText), { minLength: 1, maxLength: 30 });

/** Ends of literals, as places in the text and numbers of literals. */
function naively(sought: readonly string[], value: string): Set<number> {
  const folded = foldText(value);
  return new Set(sought.flatMap((literal, number) => (folded.includes(literal) ? number : [])));
}

function found(automaton: LiteralAutomaton, value: string, cuts: readonly number[] = []): Set<number> {
  const occurrences = automaton.occurrences();
  occurrences.reset();
  const places = [0, ...cuts.map((cut) => cut % (value.length + 1)).sort((one, other) => one - other), value.length];
  for (let part = 1; part < places.length; part++) automaton.scan(value, places[part - 1]!, places[part]!, occurrences);
  const outputs = [...occurrences.outputs.subarray(0, occurrences.count)];
  return new Set(outputs.flatMap((output) => [...automaton.outputs[output]!]));
}

describe('an automaton of literals', () => {
  it('finds what a naive search finds, however few of its states have a row and however the text is cut', () => {
    fc.assert(
      fc.property(
        literals,
        text(0, 40),
        fc.nat(40),
        fc.array(fc.nat(100), { maxLength: 3 }),
        (sought, value, rows, cuts) => {
          expect(found(new LiteralAutomaton(sought, rows), value, cuts)).toEqual(naively(sought, value));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('names the longest of those whose end comes first', () => {
    fc.assert(
      fc.property(literals, text(0, 40), fc.nat(40), (sought, value, rows) => {
        const automaton = new LiteralAutomaton(sought, rows);
        const folded = foldText(value);
        const ends = sought.map((literal) =>
          folded.includes(literal) ? folded.indexOf(literal) + literal.length : Infinity,
        );
        const first = Math.min(...ends);
        const longest = sought
          .filter((_, number) => ends[number] === first && first < Infinity)
          .sort((one, other) => other.length - one.length)[0];
        const output = automaton.first(value);
        expect(output === undefined ? undefined : sought[automaton.outputs[output]![0]!]).toBe(longest);
      }),
      { numRuns: 2_000 },
    );
  });

  it('of thousands of literals fits into a cache', () => {
    const random = (seed: number) => Math.imul(seed, 0x9e3779b1) >>> 0;
    const many = Array.from({ length: 5_000 }, (_, at) => random(at + 1).toString(36) + random(at + 7).toString(36));
    expect(new LiteralAutomaton(many).memoryBytes).toBeLessThan(2 * 1024 * 1024);
  });

  it('takes time in proportion to the text where each byte falls back as far as can be', () => {
    const deep = new LiteralAutomaton([`${'a'.repeat(5_000)}b`], 1);
    const value = `${'a'.repeat(4_999)}c`.repeat(20);
    expect(processorMillis(500, () => expect(found(deep, value)).toEqual(new Set()))).toBeLessThan(500);
  });
});
