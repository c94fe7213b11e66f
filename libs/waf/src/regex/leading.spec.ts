import * as fc from 'fast-check';
import { compileRegex } from './compile-regex';

const leadingOf = (source: string) => compileRegex(source, { multiline: true }).leading;

describe('the texts with which matches begin', () => {
  it.each([
    ['ORA-[0-9]{5}', ['ora-'], 9],
    ['[0-9]{1,3} rows in set', [' rows in set'], 15],
    ['(?:select|insert)\\s.*from', ['select', 'insert'], 7],
    ['(?:abc)+def', ['abc'], 3],
    ['x(?:stem.*Data|rror at.*)', ['stem', 'rror at'], 9],
  ])('of %s are known', (source, texts, within) => {
    const leading = leadingOf(source)!;
    expect(leading.texts.every((text) => texts.some((part) => text.includes(part)))).toBe(true);
    expect(leading.within).toBeLessThanOrEqual(within);
  });

  it.each(['.*from', 'a*b*c*', '[a-z]+', '(?:abc)?[0-9]', '.{600}needle'])('of %s are not known', (source) =>
    expect(leadingOf(source)).toBeUndefined(),
  );

  it('are in every match, no further behind than is said', () => {
    const sources = [
      'ORA-[0-9]{1,5}',
      'a.{0,4}(?:bc|dd)x*',
      '(?:ab)+(?:c|d.*e)',
      '[ab]{2,3}cd',
      'x(?:ab.*c|cd.*a)',
      '(?i)AB+C',
    ];
    const patterns = sources.map((source) => compileRegex(source, { multiline: true }));
    const text = fc.string({ unit: fc.constantFrom(...'abcdexORA-123\n'), maxLength: 40 });
    fc.assert(
      fc.property(text, fc.constantFrom(...patterns), (value, pattern) => {
        const match = pattern.exec(value)?.[0];
        if (match === undefined || !pattern.leading) return;
        const { texts, within } = pattern.leading;
        const beginning = match.slice(0, within).toLowerCase();
        expect([match, texts.some((leading) => beginning.includes(leading))]).toEqual([match, true]);
      }),
      { numRuns: 3000 },
    );
  });
});
