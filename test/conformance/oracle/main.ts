import { parseArgs } from 'node:util';
import { compareRuleSets, describeMismatch } from './compare';
import { compiled } from './oracle';
import { readPayloads } from './payloads';
import { chosenSeed } from './random';
import { isPresent, releases, testFolder } from './rule-sets';

const { values } = parseArgs({
  options: {
    release: { type: 'string' },
    paranoia: { type: 'string' },
    count: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(chosenSeed()) },
  },
});

void main();

/** Each release at each paranoia level, `--count` exchanges a release. */
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
  const payloads = await readPayloads(testFolder);
  const levels = values.paranoia === undefined ? [1, 2, 3, 4] : [Number(values.paranoia)];
  const seed = Number(values.seed);
  console.log(`seed ${seed}`);
  for (const release of present) {
    for (const level of levels) {
      const count = Math.ceil(Number(values.count) / levels.length);
      const { compared, hit, explained, unexplained } = compareRuleSets(
        program,
        release,
        level,
        payloads,
        seed + level,
        count,
      );
      const names = [...explained].map(([name, times]) => `${name} ${times}`).join(', ');
      console.log(
        `${release.name} PL${level}: ${compared} compared, ${hit} with hits, ${unexplained.length} unexplained; ${names}`,
      );
      for (const mismatch of unexplained.slice(0, 20)) console.log(describeMismatch(mismatch));
      if (unexplained.length > 0) process.exitCode = 1;
    }
  }
}
