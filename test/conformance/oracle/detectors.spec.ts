import { existsSync } from 'node:fs';
import { detectSqli } from '../../../libs/waf/src/injection/detect-sqli';
import { detectXss } from '../../../libs/waf/src/injection/detect-xss';
import { detectorValue } from './detector-values';
import { compiled } from './oracle';
import { readPayloads } from './payloads';
import { probe, type Finding } from './probe';
import { Choices, chosenSeed } from './random';
import { testFolder } from './rule-sets';

const COUNT = 200_000;
const program = compiled('probe-libinjection/probe');
const whenThere = program === undefined ? describe.skip : describe;

if (program === undefined) {
  console.warn(
    'LIBMODSECURITY MISSING: 400,000 comparisons of the detectors NOT RUN (needs g++ and libmodsecurity-dev)',
  );
}

const ours: Readonly<Record<'sqli' | 'xss', (value: string) => Finding>> = {
  sqli: (value) => {
    const fingerprint = detectSqli(value);
    return { positive: fingerprint !== undefined, fingerprint: fingerprint ?? '' };
  },
  xss: (value) => ({ positive: detectXss(value), fingerprint: '' }),
};

whenThere('the detectors, beside libmodsecurity', () => {
  const seed = chosenSeed();
  let pieces: readonly string[] = [];

  beforeAll(async () => {
    if (existsSync(testFolder)) ({ pieces } = readPayloads(testFolder));
  }, 120_000);

  it.each(['sqli', 'xss'] as const)(
    `find the same, with the same fingerprint, in ${COUNT} strings: %s (ORACLE_SEED=${seed})`,
    (detector) => {
      const choices = new Choices(seed);
      const differing: string[] = [];
      for (let done = 0; done < COUNT; done += COUNT / 10) {
        const values = choices.times(COUNT / 10, () => detectorValue(choices, detector, pieces));
        probe(program!, detector, values).forEach((theirs, at) => {
          const own = ours[detector](values[at]!);
          const agree = own.positive === theirs.positive && own.fingerprint === theirs.fingerprint;
          if (!agree) differing.push(JSON.stringify({ value: values[at], ours: own, theirs }));
        });
      }
      expect(differing.sort((a, b) => a.length - b.length).slice(0, 10)).toEqual([]);
    },
    300_000,
  );

  it('are asked the same through a rule and without one', () => {
    const choices = new Choices(seed);
    for (const detector of ['sqli', 'xss'] as const) {
      const values = choices.times(2000, () => detectorValue(choices, detector, pieces));
      expect(probe(program!, detector, values, ['--rule'])).toEqual(probe(program!, detector, values));
    }
  });
});
