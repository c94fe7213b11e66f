import { argumentsOf } from '../command-line';
import { compareEachRule, compareRuleSets, describeMismatch, type Comparison } from './compare';
import { compiled } from './oracle';
import { readPayloads } from './payloads';
import { chosenSeed } from './random';
import { isPresent, releases, testFolder, type Release } from './rule-sets';

const values = argumentsOf(
  {
    release: { type: 'string' },
    paranoia: { type: 'string' },
    count: { type: 'string', default: '20000' },
    'each-rule': { type: 'string' },
    seed: { type: 'string', default: String(chosenSeed()) },
  },
  [
    'npm run -s conformance:oracle -- [options]',
    `  --release NAME   one of ${releases.map(({ name }) => name).join(' and ')} (both)`,
    '  --paranoia N     one paranoia level (each of the four)',
    '  --count N        exchanges compared of each release (20000)',
    '  --each-rule N    instead: so many for each rule, from its own patterns',
    '  --seed N         makes the same exchanges again',
  ],
);

void main();

/** Each release at each paranoia level, `--count` exchanges a release; or at the highest, with exchanges for each rule. */
async function main(): Promise<void> {
  const program = compiled('modsecurity-oracle/oracle');
  const chosen = releases.filter(({ name }) => values.release === undefined || name === values.release);
  const present = chosen.filter(isPresent);
  if (program === undefined || present.length < chosen.length) {
    console.error(
      'ORACLE MISSING: needs g++, libmodsecurity-dev, nlohmann-json3-dev, modsecurity-crs and the data of CRS',
    );
    process.exitCode = 3;
    return;
  }
  const seed = Number(values.seed);
  console.log(`seed ${seed}`);
  const ofEachRule = values['each-rule'];
  if (ofEachRule !== undefined) {
    for (const release of present) tell(release, 4, compareEachRule(program, release, seed, Number(ofEachRule)));
    return;
  }
  const payloads = readPayloads(testFolder);
  const levels = values.paranoia === undefined ? [1, 2, 3, 4] : [Number(values.paranoia)];
  const count = Math.ceil(Number(values.count) / levels.length);
  for (const release of present) {
    for (const level of levels)
      tell(release, level, compareRuleSets(program, release, level, payloads, seed + level, count));
  }
}

function tell({ name }: Release, level: number, { compared, hit, explained, unexplained }: Comparison): void {
  const names = [...explained].map(([difference, times]) => `${difference} ${times}`).join(', ');
  console.log(
    `${name} PL${level}: ${compared} compared, ${hit} with hits, ${unexplained.length} unexplained; ${names}`,
  );
  for (const mismatch of unexplained.slice(0, 20)) console.log(describeMismatch(mismatch));
  if (unexplained.length > 0) process.exitCode = 1;
}
