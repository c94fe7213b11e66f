// `npm run chaos [-- T02 T10 --quick --json --list --results=FILE]`: runs the tests that are named, or all, and prints one
// table; with --results the same goes to a file as JSON.
import { writeFileSync } from 'node:fs';
import { build } from '../e2e/product';
import { catalogue } from './catalogue';
import type { ChaosTest } from './chaos-test';
import { optionsFrom, passed, Run, type Result } from './run';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const HELP = `npm run chaos -- [TEST …] [options]
  --quick          only those that are quick
  --list           only tells what there is
  --json           one JSON object instead of the table
  --results=FILE   the same, into a file
  --help           this text`;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    console.log(HELP);
    return 0;
  }
  const tests = chosen(args);
  if (args.includes('--list')) {
    for (const { number, title, quick } of tests) console.log(`${number}  ${title}${quick ? ' (quick)' : ''}`);
    return 0;
  }
  const options = optionsFrom(process.env, args.includes('--quick'), (text) => say(`    ${text}`));
  say(`seed ${options.seed}, ${options.requestsPerSecond} requests a second, ${options.seconds} s each`);
  await build();
  const run = new Run(options);
  const results: Result[] = [];
  let endedWell = true;
  // Servers that are not ours would outlive us.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void run.close().finally(() => process.exit(130)));
  }
  try {
    for (const test of tests) {
      say(`${test.number} ${test.title} …`);
      results.push(await run.run(test));
    }
  } finally {
    await run.close().catch((error: Error) => {
      endedWell = false;
      say(error.message);
    });
  }
  const file = args.find((arg) => arg.startsWith('--results='))?.slice('--results='.length);
  if (file !== undefined) writeFileSync(file, JSON.stringify(asJson(results, options.seed)));
  console.log(args.includes('--json') ? JSON.stringify(asJson(results, options.seed), undefined, 2) : table(results));
  return endedWell && results.every((result) => passed(result) !== false) ? 0 : 1;
}

function chosen(args: readonly string[]): ChaosTest[] {
  const odd = args.find((arg) => arg.startsWith('--') && !/^--(quick|list|json|results=.+)$/.test(arg));
  if (odd !== undefined) throw new RangeError(`there is no option ${odd}`);
  const names = args.filter((arg) => !arg.startsWith('--')).map((arg) => arg.toUpperCase());
  const unknown = names.filter((name) => !catalogue.some(({ number }) => number === name));
  if (unknown.length > 0) throw new RangeError(`there is no test ${unknown.join(', ')}`);
  return catalogue.filter(
    ({ number, quick }) => (names.length === 0 || names.includes(number)) && (quick || !args.includes('--quick')),
  );
}

function table(results: readonly Result[]): string {
  const lines = results.flatMap((result) => {
    const { test, verdict } = result;
    const name = `${test.number} ${test.title}`;
    if ('skipped' in verdict) return [[name, `skipped: ${verdict.skipped}`, 'skip']];
    return verdict.checks.map((check, index) => [
      index === 0 ? name : '',
      `${check.name}: ${check.figure}`,
      check.passed ? 'pass' : 'FAIL',
    ]);
  });
  const rows = [['test', 'figure', 'pass'], ...lines];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(([name, figure, pass]) => `${name!.padEnd(widths[0]!)} | ${figure!.padEnd(widths[1]!)} | ${pass}`)
    .join('\n');
}

function asJson(results: readonly Result[], seed: number): unknown {
  return {
    seed,
    tests: results.map((result) => ({
      number: result.test.number,
      title: result.test.title,
      pass: passed(result) ?? null,
      seconds: Math.round(result.seconds * 10) / 10,
      ...result.verdict,
    })),
  };
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: Error) => {
    say(error.stack ?? error.message);
    process.exit(1);
  },
);
