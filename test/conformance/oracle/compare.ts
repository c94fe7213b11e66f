import { compileRuleSet } from '../../../libs/waf/src/compile';
import { explain, factsOf, scoresDiffer, type Mismatch } from './differences';
import { exchanges } from './exchanges';
import { Oracle, type Exchange } from './oracle';
import { OurEngine } from './our-engine';
import type { Payloads } from './payloads';
import { Choices } from './random';
import { exchangesOfRules } from './rule-exchanges';
import { comparedVariables, filesForOracle, sourceOf, unicodeMapText, type Release } from './rule-sets';

export interface Comparison {
  readonly compared: number;
  /** Exchanges in which some rule was hit. */
  readonly hit: number;
  /** By name of the difference: how many exchanges it explains. */
  readonly explained: ReadonlyMap<string, number>;
  readonly unexplained: readonly Mismatch[];
}

/** How many exchanges the oracle is handed at once. */
const batch = 500;

/**
 * Lets both engines judge exchanges put together from what regression tests send.
 * @param program the compiled oracle
 * @param paranoia 1 to 4
 */
export function compareRuleSets(
  program: string,
  release: Release,
  paranoia: number,
  payloads: Payloads,
  seed: number,
  count: number,
): Comparison {
  return compare(program, release, paranoia, exchanges(new Choices(seed), payloads, count));
}

/**
 * Lets both engines judge exchanges made from what the rules themselves look for, at paranoia level 4.
 * @param count for each rule
 */
export function compareEachRule(program: string, release: Release, seed: number, count: number): Comparison {
  const source = sourceOf(release, 4);
  const { rules } = compileRuleSet(source);
  return compare(program, release, 4, exchangesOfRules(new Choices(seed), rules, source, count));
}

function compare(program: string, release: Release, paranoia: number, all: Iterable<Exchange>): Comparison {
  const source = sourceOf(release, paranoia);
  const ours = new OurEngine(source, comparedVariables);
  const oracle = new Oracle(program, ['unicode.map', unicodeMapText()], [...comparedVariables, 'oracle_body_error']);
  const files = filesForOracle(release, paranoia, oracle.helper);
  const facts = factsOf(source);
  const explained = new Map<string, number>();
  const unexplained: Mismatch[] = [];
  let compared = 0;
  let hit = 0;
  try {
    for (const some of batches(all)) {
      compared += some.length;
      oracle.ask(files, some).forEach((theirs, at) => {
        const mismatch = { exchange: some[at]!, ours: ours.ask(some[at]!), theirs };
        if (theirs.rules.length > 0) hit++;
        const names = explain(mismatch, facts);
        if (names === undefined) unexplained.push(mismatch);
        for (const name of names ?? []) explained.set(name, (explained.get(name) ?? 0) + 1);
      });
    }
  } finally {
    oracle.close();
  }
  return { compared, hit, explained, unexplained };
}

function* batches(all: Iterable<Exchange>): Generator<Exchange[]> {
  let some: Exchange[] = [];
  for (const exchange of all) {
    some.push(exchange);
    if (some.length < batch) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

/** A mismatch in a few lines. */
export function describeMismatch({ exchange, ours, theirs }: Mismatch): string {
  const only = (some: readonly number[], others: readonly number[]) => some.filter((rule) => !others.includes(rule));
  const scores = Object.keys({ ...ours.tx, ...theirs.tx }).filter(
    (name) => (ours.tx[name] ?? '0') !== (theirs.tx[name] ?? '0'),
  );
  return [
    JSON.stringify(exchange),
    `  only ours: ${only(ours.rules, theirs.rules).join(' ')}; only theirs: ${only(theirs.rules, ours.rules).join(' ')}`,
    ...(scoresDiffer(ours, theirs)
      ? [
          `  status ${ours.status}/${theirs.status}; ${scores.map((name) => `${name} ${ours.tx[name]}/${theirs.tx[name]}`).join(', ')}`,
        ]
      : []),
  ].join('\n');
}
