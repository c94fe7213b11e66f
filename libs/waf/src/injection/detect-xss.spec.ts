import { processorMillis } from '@sallyport/testkit';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { detectXss, detectXssInSteps } from './detect-xss';
import { adversarialValues, mostMillis } from './linear-time.suite';

interface Vector {
  readonly input: string;
  readonly dangerous: boolean;
}

const vectors = JSON.parse(
  readFileSync(join(__dirname, '../../testdata/injection/xss.json'), 'utf8'),
) as readonly Vector[];
const textBytes = fc.array(fc.integer({ min: 0, max: 255 })).map((bytes) => String.fromCharCode(...bytes));

describe('the detector of script injection', () => {
  it.each(vectors)('says $dangerous of $input', ({ input, dangerous }) => {
    expect(detectXss(input)).toBe(dangerous);
  });

  it('finds nothing where no tag begins and no attribute has a value', () => {
    fc.assert(
      fc.property(textBytes, (value) => {
        expect(detectXss(value.replace(/[<=]/g, ''))).toBe(false);
      }),
    );
  });

  it('finds what runs wherever it stands in ordinary text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ,.]*$/), fc.stringMatching(/^[a-z ,.]*$/), (before, after) => {
        expect(detectXss(`${before}<script>${after}`)).toBe(true);
      }),
    );
  });

  it('takes any bytes without an error', () => {
    fc.assert(
      fc.property(textBytes, (value) => {
        expect(typeof detectXss(`<${value}=`)).toBe('boolean');
      }),
    );
  });

  it('answers the same in steps, whatever is asked in between', () => {
    const part = fc.oneof(
      textBytes,
      fc.constantFrom('<script', '<a ', ' onclick=', 'href="javascript:', "'", '"', '`', '>'),
    );
    const values = fc.array(part, { maxLength: 5 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(values, values, (value, other) => {
        const steps = detectXssInSteps(value);
        let step = steps.next();
        for (; !step.done; step = steps.next()) detectXss(other);
        expect(step.value).toBe(detectXss(value));
      }),
    );
  });

  it.each(adversarialValues)('takes linear time for 128 KiB of %s', (_, value) => {
    expect(processorMillis(mostMillis, () => void detectXss(value))).toBeLessThan(mostMillis);
  });
});
