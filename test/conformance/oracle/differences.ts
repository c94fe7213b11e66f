import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { RuleSource } from '../../../libs/waf/src/seclang/rule-source';
import type { Exchange, Verdict } from './oracle';

/** What differs in the answers to one exchange. */
export interface Mismatch {
  readonly exchange: Exchange;
  readonly ours: Verdict;
  readonly theirs: Verdict;
}

export interface WrittenDifference {
  readonly name: string;
  readonly cause: string;
  readonly ours: string;
}

interface Difference {
  readonly name: string;
  readonly applies: (exchange: Exchange, theirs: Verdict, rules: ReadonlySet<number>) => boolean;
  /** Rules only one of the two reports; all where it is undefined. */
  readonly rules?: (rule: number, byOurs: boolean, facts: RuleFacts, exchange: Exchange) => boolean;
}

/** What differences depend on, read from the rules themselves. */
export interface RuleFacts {
  /** Rules that look at REQUEST_BODY, and those with a link that looks at MATCHED_VARS. */
  readonly overBodies: ReadonlySet<number>;
  readonly overMatches: ReadonlySet<number>;
  /** Rules with a link that looks at captures, or at what matched last. */
  readonly overCaptures: ReadonlySet<number>;
  /** Rules that look at names of arguments, or have a link that does. */
  readonly overNames: ReadonlySet<number>;
  /** Rules that look for a text with a quotation mark, which stands escaped in the file. */
  readonly overQuotes: ReadonlySet<number>;
  /** The lists of words that a rule and its links look for, in lower case. */
  readonly words: ReadonlyMap<number, readonly (readonly string[])[]>;
}

const typeOf = ({ fields }: Exchange) => fields.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
const isXml = (exchange: Exchange) => /xml/i.test(typeOf(exchange));
const isJson = (exchange: Exchange) => /json/i.test(typeOf(exchange));
const isMultipart = (exchange: Exchange) => /^multipart\//i.test(typeOf(exchange));
const holdsNul = ({ target, fields, body }: Exchange) =>
  /\0|%(25)*00|%(25)*u0000|\\0|&#x?0/i.test(`${target}\n${fields.join('\n')}\n${body}`);

/** A body of a type that only begins with that of forms. */
const isLikeForm = (exchange: Exchange) =>
  exchange.body !== '' && /^application\/x-www-form-urlencoded[^\s;]/i.test(typeOf(exchange));

const boundaryOf = (exchange: Exchange) => /boundary="?([^";]+)/i.exec(typeOf(exchange))?.[1] ?? '';
const hasPartWithoutBody = (exchange: Exchange) => exchange.body.includes(`\r\n\r\n--${boundaryOf(exchange)}`);

/** Whether a value of some part has a line end inside. */
function hasLinesInFields(exchange: Exchange): boolean {
  const parts = exchange.body.split(`\r\n--${boundaryOf(exchange)}`);
  return parts.some((part) => /[\r\n]/.test(part.split('\r\n\r\n').slice(1).join('\r\n\r\n')));
}

/** How far back the other word is looked for: where one is longer, less is explained. */
const LONGEST_BEGINNING = 64;

/**
 * Whether one of the words stands in an exchange, as it was sent or with its octets decoded once, where another word of the list
 * had begun before it and reaches into it: found letter by letter, by no automaton.
 */
function holdsWordBehindAnother({ target, fields, body }: Exchange, words: readonly string[]): boolean {
  const sent = `${target}\n${fields.flat().join('\n')}\n${body}`.toLowerCase();
  const decoded = sent.replace(/%([0-9a-f]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
  const begins = new Set(words.flatMap((word) => Array.from(word.slice(1), (_, at) => word.slice(0, at + 1))));
  const isBehindAnother = (text: string, at: number): boolean => {
    for (let from = at - 1; from >= Math.max(0, at - LONGEST_BEGINNING); from--) {
      if (begins.has(text.slice(from, at + 1))) return true;
    }
    return false;
  };
  const holds = (text: string, word: string): boolean => {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
      if (isBehindAnother(text, at)) return true;
    }
    return false;
  };
  return words.some((word) => holds(sent, word) || holds(decoded, word));
}

export const differences: readonly Difference[] = [
  { name: 'sec-action-is-not-logged', applies: () => true, rules: (rule, byOurs) => byOurs && rule >= 980_000 },
  {
    name: 'xml-in-request-body',
    applies: isXml,
    rules: (rule, byOurs, { overBodies }) => !byOurs && overBodies.has(rule),
  },
  { name: 'encoded-question-mark-in-path', applies: ({ target }) => /^[^?]*%3f/i.test(target) },
  {
    name: 'matched-vars-of-the-rule-before',
    applies: (_, theirs) => theirs.rules.length > 0,
    rules: (rule, byOurs, { overMatches }) => !byOurs && overMatches.has(rule),
  },
  { name: 'multi-match-chain-on-captures', applies: () => true, rules: (rule) => rule === 942_130 || rule === 942_131 },
  { name: 'body-given-up', applies: (_, theirs) => theirs.tx['oracle_body_error'] === '1' },
  { name: 'line-ends-in-a-field', applies: (exchange) => isMultipart(exchange) && hasLinesInFields(exchange) },
  { name: 'part-without-body', applies: (exchange) => isMultipart(exchange) && hasPartWithoutBody(exchange) },
  {
    name: 'values-in-hash-order',
    applies: () => true,
    rules: (rule, _, { overCaptures }) => overCaptures.has(rule),
  },
  {
    name: 'part-headers-with-line-ends',
    applies: isMultipart,
    rules: (rule, byOurs) => !byOurs && rule === 922_110,
  },
  {
    name: 'names-of-json-arrays',
    applies: (exchange) => isJson(exchange) && exchange.body.includes('['),
    rules: (rule, _, { overNames }) => overNames.has(rule),
  },
  { name: 'css-decode-ends-at-nul', applies: holdsNul, rules: (_, byOurs) => byOurs },
  { name: 'type-that-begins-as-forms-do', applies: isLikeForm },
  {
    name: 'escaped-quotes-of-texts',
    applies: () => true,
    rules: (rule, byOurs, { overQuotes }) => byOurs && overQuotes.has(rule),
  },
  {
    name: 'words-at-the-end-of-others',
    applies: ({ response }) => response !== undefined,
    // They are asked where a list of words has been found in the answer.
    rules: (rule, byOurs) => byOurs && rule > 951_000 && rule < 952_000,
  },
  {
    name: 'words-behind-what-began-as-others',
    applies: () => true,
    rules: (rule, byOurs, { words }, exchange) =>
      byOurs && !isOfResponse(rule) && (words.get(rule) ?? []).some((list) => holdsWordBehindAnother(exchange, list)),
  },
];

/**
 * @returns the names of the differences that explain a mismatch; undefined where something of it stays unexplained,
 * and none where there is nothing to explain
 */
export function explain({ exchange, ours, theirs }: Mismatch, facts: RuleFacts): string[] | undefined {
  const onlyOurs = ours.rules.filter((rule) => !theirs.rules.includes(rule));
  const onlyTheirs = theirs.rules.filter((rule) => !ours.rules.includes(rule));
  const both = new Set(ours.rules.filter((rule) => theirs.rules.includes(rule)));
  const applying = differences.filter(({ applies }) => applies(exchange, theirs, both));
  const names = new Set<string>();
  const isExplained = (byOurs: boolean) => (rule: number) => {
    const found = applying.find(({ rules }) => rules === undefined || rules(rule, byOurs, facts, exchange));
    if (found) names.add(found.name);
    return found !== undefined;
  };
  const left = [
    ...onlyOurs.filter((rule) => !isEvaluation(rule) && !isExplained(true)(rule)),
    ...onlyTheirs.filter((rule) => !isEvaluation(rule) && !isExplained(false)(rule)),
  ];
  if (left.some((rule) => !isOfResponse(rule))) return undefined;
  const affectsScores = [...names].some((name) => name !== 'sec-action-is-not-logged');
  const responsesDiffer = left.length > 0;
  if (affectsScores || (!scoresDiffer(ours, theirs) && !responsesDiffer)) return [...names];
  const byCounting = countingDifference(exchange, theirs, both, facts);
  return byCounting === undefined ? undefined : [...names, byCounting];
}

/** Rules of CRS that only add up and decide: they differ where what they add up does. */
function isEvaluation(rule: number): boolean {
  return rule === 949_110 || rule === 949_111 || rule === 949_100 || rule === 959_100 || rule === 959_101;
}

/** They are not asked where the request was refused, and that may be what differs. */
function isOfResponse(rule: number): boolean {
  return rule >= 950_000 && rule < 960_000;
}

export function scoresDiffer(ours: Verdict, theirs: Verdict): boolean {
  const names = new Set([...Object.keys(ours.tx), ...Object.keys(theirs.tx)]);
  names.delete('oracle_body_error');
  return (
    ours.status !== theirs.status || [...names].some((name) => (ours.tx[name] ?? '0') !== (theirs.tx[name] ?? '0'))
  );
}

/** The same rules, and yet another score: one of them counted another number of values. */
function countingDifference(
  exchange: Exchange,
  theirs: Verdict,
  rules: ReadonlySet<number>,
  { overBodies, overMatches, overNames, overCaptures }: RuleFacts,
): string | undefined {
  const some = (set: ReadonlySet<number>) => [...rules].some((rule) => set.has(rule));
  const candidates: readonly (readonly [name: string, applies: boolean])[] = [
    ['xml-in-request-body', isXml(exchange) && some(overBodies)],
    ['matched-vars-of-the-rule-before', some(overMatches)],
    ['names-of-json-arrays', isJson(exchange) && exchange.body.includes('[') && some(overNames)],
    ['values-in-hash-order', some(overCaptures)],
    ['part-headers-with-line-ends', isMultipart(exchange) && rules.has(922_110)],
    ['multi-match-chain-on-captures', rules.has(942_130) || rules.has(942_131)],
    ...differences
      .filter((difference) => difference.rules === undefined || difference.name === 'css-decode-ends-at-nul')
      .map(({ name, applies }): [string, boolean] => [name, applies(exchange, theirs, rules)]),
  ];
  return candidates.find(([, applies]) => applies)?.[0];
}

export function factsOf({ files, read }: RuleSource): RuleFacts {
  const overBodies = new Set<number>();
  const overMatches = new Set<number>();
  const overNames = new Set<number>();
  const overCaptures = new Set<number>();
  const overQuotes = new Set<number>();
  const words = new Map<number, string[][]>();
  for (const { name, text } of files) {
    for (const rule of text.replace(/^\s*#.*$/gm, '').split(/^SecRule /m)) {
      const id = Number(/\bid:(\d+)/.exec(rule)?.[1]);
      if (/^[^"]*"@(?!rx)[^"]*\\"/.test(rule)) overQuotes.add(id);
      if (/^[^"]*\bREQUEST_BODY\b/.test(rule)) overBodies.add(id);
      if (/^[^"]*\bARGS_NAMES\b/.test(rule) || /^\s+SecRule [^"]*\bARGS_NAMES\b/m.test(rule)) overNames.add(id);
      if (/^\s+SecRule [^"]*\bMATCHED_VARS/m.test(rule)) overMatches.add(id);
      if (/^\s+SecRule [^"]*\b(MATCHED_VAR\b|TX:\d)/m.test(rule)) overCaptures.add(id);
      words.set(id, [...listsOf(rule, (file) => read(file, name) ?? '')]);
    }
  }
  return { overBodies, overMatches, overNames, overCaptures, overQuotes, words };
}

function* listsOf(rule: string, read: (file: string) => string): Iterable<string[]> {
  for (const [, fromFile, argument] of rule.matchAll(/"@pm(FromFile|f)? ([^"]*)"/g)) {
    const list = fromFile ? read(argument!.trim()).split(/\r?\n/) : argument!.split(/\s+/);
    yield list.filter((word) => word !== '' && !/^\s*#/.test(word)).map((word) => word.toLowerCase());
  }
}

export function writtenDifferences(): WrittenDifference[] {
  return parse(readFileSync(join(__dirname, 'differences.yaml'), 'utf8')) as WrittenDifference[];
}
