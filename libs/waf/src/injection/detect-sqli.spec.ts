import { processorMillis } from '@sallyport/testkit';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { detectSqli, detectSqliInSteps, readSql, sqliNeeds } from './detect-sqli';
import { isAttack } from './sqli/false-positives';
import { fingerprints } from './sqli/fingerprints.data';
import { wordsByKind } from './sqli/words.data';
import { adversarialValues, mostMillis } from './linear-time.suite';

interface Vector {
  readonly input: string;
  /** Null where there is nothing to be found. */
  readonly fingerprint: string | null;
}

const vectors = JSON.parse(
  readFileSync(join(__dirname, '../../testdata/injection/sqli.json'), 'utf8'),
) as readonly Vector[];
const known = new Set(fingerprints.trim().split(/\s+/));
const words = Object.values(wordsByKind).flatMap((some) => some.trim().split(/[,\n]/));

const piece = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...words) },
  { weight: 3, arbitrary: fc.constantFrom(...'+-*/%=<>!|&^~.:;,?(){}[]@#$\\`\'" \n\0'.split('')) },
  { weight: 2, arbitrary: fc.constantFrom('1', '2.5', '1e5', '0x1f', 'name', 'shoes', '--', '/*', '*/', ' ', ' ') },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)) },
);
const values = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
const plainPiece = fc.constantFrom(
  ...'+-*/%=<>!|^~.:;,?{} '.split(''),
  '1',
  '2.5',
  'red',
  'shoes',
  'x_y',
  'group',
  'by',
);

/** What is found without the early exit. */
function bareFinding(value: string): string | undefined {
  const finding = readSql(value, 0, 'ansi');
  return known.has(finding.fingerprint.toUpperCase()) && isAttack(finding) ? finding.fingerprint : undefined;
}

describe('the detector of SQL injection', () => {
  it.each(vectors)('finds $fingerprint in $input', ({ input, fingerprint }) => {
    expect(detectSqli(input) ?? null).toBe(fingerprint);
  });

  it('finds as much with the early exit as without', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          values,
          fc.array(plainPiece).map((some) => some.join(' ')),
        ),
        (value) => {
          const found = bareFinding(value);
          if (found !== undefined) expect(detectSqli(value)).toBe(found);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('has no fingerprint of numbers, names and signs alone, which is what its early exit is built on', () => {
    expect([...known].filter((fingerprint) => /^[1NO.:?,;{}]*$/.test(fingerprint))).toEqual([]);
  });

  it('finds nothing in a value that has no byte of one of the sets it needs', () => {
    const lacking = fc
      .tuple(
        fc.array(fc.oneof(piece, plainPiece, fc.constantFrom('7', ' 2', '.5', '_')), { maxLength: 12 }),
        fc.constantFrom(...sqliNeeds),
      )
      .map(([pieces, set]) => [...pieces.join('')].filter((byte) => !set.has(byte.charCodeAt(0))).join(''));
    fc.assert(
      fc.property(lacking, (value) => expect(detectSqli(value)).toBeUndefined()),
      { numRuns: 20_000 },
    );
  });

  it('says a fingerprint of its list, or nothing', () => {
    fc.assert(
      fc.property(values, (value) => {
        const found = detectSqli(value);
        expect(found === undefined || known.has(found.toUpperCase())).toBe(true);
      }),
    );
  });

  it('answers the same when it is asked again: nothing of a value stays', () => {
    fc.assert(
      fc.property(values, values, (value, other) => {
        const first = detectSqli(value);
        detectSqli(other);
        expect(detectSqli(value)).toBe(first);
      }),
    );
  });

  it('answers the same in steps, whatever is asked in between', () => {
    fc.assert(
      fc.property(values, values, (value, other) => {
        const steps = detectSqliInSteps(value);
        let step = steps.next();
        for (; !step.done; step = steps.next()) detectSqli(other);
        expect(step.value).toBe(detectSqli(value));
      }),
    );
  });

  it.each(adversarialValues)('takes linear time for 128 KiB of %s', (_, value) => {
    expect(processorMillis(mostMillis, () => void detectSqli(value))).toBeLessThan(mostMillis);
  });
});
