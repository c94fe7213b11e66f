import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '@sallyport/testkit';
import { builtInRules, compileRuleSet, type RuleSet } from '@sallyport/waf';
import { ruleFiles } from '../crs/rule-files';
import { generate } from './generator';
import { handWritten } from './hand-written';
import { Judge } from './judge';

const SEED = 20_251_001;
const corpus = [...handWritten(), ...generate(SEED)];

const own = (): RuleSet => compileRuleSet({ files: builtInRules('alone'), read: () => undefined });

/** CRS as it comes, at paranoia level 1, with our rules beside it. */
function crs(): RuleSet | undefined {
  const folder = process.env['SALLYPORT_CRS_DIR'] ?? sharedData('crs', '4.28.0');
  if (folder === undefined || !existsSync(join(folder, 'rules'))) return undefined;
  const { files, ...source } = ruleFiles(join(folder, 'rules'), join(folder, 'crs-setup.conf.example'));
  return compileRuleSet({ ...source, files: [...builtInRules('crs'), ...files] });
}

describe('the benign corpus', () => {
  it('has a thousand requests at least, of every profile that has rules of its own', () => {
    expect(corpus.length).toBeGreaterThanOrEqual(1_000);
    const profiles = new Set(corpus.map(({ profile }) => profile));
    expect([...profiles].sort()).toEqual(['form', 'graphql', 'json-api', 'llm', 'mcp', 'structural', 'upload']);
  });

  it('is the same for the same seed', () => {
    expect(JSON.stringify(generate(SEED)) === JSON.stringify(generate(SEED))).toBe(true);
  });

  it('passes the built-in rules, each request with the profile that fits it', () => {
    expect(refusalsBy(new Judge('built-in', own()))).toEqual([]);
  }, 120_000);

  const ruleSet = crs();
  if (!ruleSet) console.warn(`CRS DATA MISSING: ${corpus.length} benign requests NOT RUN against CRS`);
  (ruleSet ? it : it.skip)(
    'passes CRS at paranoia level 1, each request with the profile that fits it',
    () => {
      expect(refusalsBy(new Judge('crs', ruleSet!))).toEqual([]);
    },
    240_000,
  );
});

function refusalsBy(judge: Judge): string[] {
  return corpus.flatMap((request) => {
    const why = judge.judge(request);
    return why === undefined ? [] : [`${request.title} (${request.profile}, ${request.target}): ${why}`];
  });
}
