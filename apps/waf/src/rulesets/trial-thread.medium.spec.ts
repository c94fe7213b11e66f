import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtInRules, type RuleFile } from '@sallyport/waf';
import { findRuleSets, readRuleSet, type RuleSetText } from './rule-files';
import { tryRuleSet } from './trial';
import { runTrial } from './trial-thread';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sp-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function textOf(files: readonly RuleFile[]): RuleSetText {
  return { name: 'crs-9.9.9', origin: 'installed', files, data: {}, ownMethods: true, sha256: '0' };
}

const ours = builtInRules('alone');
const withRule = (rule: string) => textOf([...ours, { name: 'mine.conf', text: `# mine\n${rule}\n` }]);

describe('the thread that tries a rule set', () => {
  const limits = { longestMs: 2_000, mostHeapMib: 64 };

  /** A thread that does this with what it is given. */
  function thread(program: string): string {
    const main = join(folder, 'main.js');
    writeFileSync(main, `const { parentPort, workerData } = require('node:worker_threads');\n${program}\n`);
    return main;
  }

  it('is given the whole set, and what it says is what came of it', async () => {
    const main = thread(
      `parentPort.postMessage({ ok: true, rules: workerData.files.length, warnings: [], cpuMicros: 7 });`,
    );
    expect(await runTrial(main, textOf(ours), limits)).toEqual({
      ok: true,
      rules: ours.length,
      warnings: [],
      cpuMicros: 7,
    });
  });

  it.each([
    ['never ends', 'for (;;);', 'it takes more than 0.3 s to compile', 300],
    ['waits for ever', 'setInterval(() => undefined, 1000);', 'it takes more than 0.3 s to compile', 300],
    [
      'takes all memory',
      'const all = []; for (;;) all.push(new Array(1e4).fill({}));',
      'it takes more than 64 MiB to compile',
      20_000,
    ],
    ['throws', `throw new Error('a defect');`, 'a defect', 2_000],
    ['fails later', `setTimeout(() => Promise.reject(new Error('a defect')), 10);`, 'a defect', 2_000],
    ['ends', 'process.exit(3);', 'the thread that compiled it ended', 2_000],
    ['is not there', '', '', 2_000],
  ])('refuses a set when it %s, and decides nothing else', async (what, program, text, longestMs) => {
    const main = what === 'is not there' ? join(folder, 'gone.js') : thread(program);
    const tried = await runTrial(main, textOf(ours), { ...limits, longestMs });
    expect(tried).toMatchObject({ ok: false, problem: { place: undefined, text: expect.stringContaining(text) } });
  });
});

describe('a rule set that is tried', () => {
  it('is taken when it refuses attacks and lets plain requests pass', async () => {
    const tried = await tryRuleSet(textOf(ours));
    expect(tried).toMatchObject({ ok: true });
  });

  it.each([
    ['refuses everything', `SecRule REQUEST_URI "@contains /" "id:1,phase:1,deny,status:403,t:none"`, 'refuses: '],
    ['lets attacks pass', `SecAction "id:1,phase:1,pass,nolog,ctl:ruleEngine=Off"`, 'does not refuse: '],
  ])('is refused when it %s', async (_, rule, fault) => {
    const tried = await tryRuleSet(textOf([{ name: 'first.conf', text: rule }, ...ours]));
    expect(tried).toMatchObject({ ok: false, problem: { text: expect.stringContaining(fault) } });
  });

  it.each([
    ['an unknown directive', 'SecFoo On'],
    ['a broken expression', `SecRule ARGS "@rx (" "id:1,phase:2,pass"`],
    ['a missing data file', `SecRule ARGS "@pmFromFile gone.data" "id:1,phase:2,pass"`],
    ['a number that is taken', `SecAction "id:7700101,phase:1,pass"`],
    ['an expression of too many nodes', `SecRule ARGS "@rx (?:[a-z]{1,1000}){1,1000}" "id:1,phase:2,pass"`],
  ])('is refused with its place for %s', async (_, rule) =>
    expect(await tryRuleSet(withRule(rule))).toMatchObject({ ok: false, problem: { place: 'mine.conf:2' } }),
  );

  it('is not even read when it has too many files', async () => {
    const rules = join(folder, 'crs', '9.9.9', 'rules');
    mkdirSync(rules, { recursive: true });
    for (let file = 0; file <= 2_000; file++) writeFileSync(join(rules, `${file}.conf`), '');
    const [place] = await findRuleSets(folder, undefined);
    await expect(readRuleSet(place!)).rejects.toThrow('more than 2000 files');
  });
});
