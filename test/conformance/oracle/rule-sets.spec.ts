import { compareEachRule, compareRuleSets, describeMismatch } from './compare';
import { compiled } from './oracle';
import { readPayloads } from './payloads';
import { Choices, chosenSeed } from './random';
import { isPresent, releases, testFolder } from './rule-sets';

/** A few, so that every change is tried; `npm run conformance:oracle` compares 20,000 of each release. */
const COUNT = 150;
const program = compiled('modsecurity-oracle/oracle');
const usable = program !== undefined && releases.every(isPresent);
const whenThere = usable ? describe : describe.skip;

if (!usable) {
  console.warn(
    'ORACLE MISSING: rule sets NOT COMPARED (needs libmodsecurity-dev, modsecurity-crs, nlohmann-json3-dev, g++ and CRS)',
  );
}

whenThere('our engine, beside libmodsecurity', () => {
  const seed = chosenSeed();
  const levels = releases.map((release) => [release.name, new Choices(seed).below(4) + 1, release] as const);

  it.each(levels)(
    `gives the same rules, scores and decision: CRS %s, paranoia level %i (ORACLE_SEED=${seed})`,
    async (_, paranoia, release) => {
      const payloads = readPayloads(testFolder);
      const { unexplained } = compareRuleSets(program!, release, paranoia, payloads, seed, COUNT);
      expect(unexplained.map(describeMismatch)).toEqual([]);
    },
    300_000,
  );

  it.each(releases.map((release) => [release.name, release] as const))(
    `finds what each rule looks for: CRS %s (ORACLE_SEED=${seed})`,
    (_, release) => {
      const { unexplained } = compareEachRule(program!, release, seed, 1);
      expect(unexplained.map(describeMismatch)).toEqual([]);
    },
    300_000,
  );
});
