import type { Bytes } from '../../bytes';
import { Kind, type Token } from './token';

/** The tokens a rule looks at, and what it may do to them. */
export interface Window {
  readonly value: Bytes;
  token(offset: 0 | 1 | 2): Token;
  /** Whether the first two are words that form a phrase; then the first of them is the phrase. */
  mergeWords(): boolean;
  /** Drops the last `count` tokens and begins again at the first one of all, or `back` tokens further left than now. */
  drop(count: number, back?: number): void;
  /** Puts the third token where the second is, and begins again. */
  dropMiddle(): void;
  beginAgain(): void;
}

/** What becomes of the tokens: they are looked at once more, one token more is looked at, or they are the end. */
export type Outcome = 'again' | 'on' | 'end';

interface Rule {
  /** Sets of the kinds of the second and the third token. */
  readonly second: number;
  readonly third: number;
  readonly when: ((window: Window) => boolean) | undefined;
  readonly then: (window: Window) => Outcome;
}

/** A bit for each kind, so that a set of kinds is a number. */
const kindBits = new Int32Array(128);
Object.values(Kind)
  .filter((kind) => kind !== Kind.none)
  .forEach((kind, at) => (kindBits[kind] = 1 << at));

export function bitOf(kind: number): number {
  return kindBits[kind]!;
}

/** @param kinds as a fingerprint writes them */
export function setOf(kinds: string): number {
  let set = 0;
  for (const kind of kinds) set |= bitOf(kind.charCodeAt(0));
  return set;
}

const any = -1;

type Named = readonly [first: string, rule: Rule];
type Then = (window: Window) => Outcome;
type When = (window: Window) => boolean;

function pair(first: string, second: string | typeof any, then: Then, when?: When): Named {
  return [first, { second: second === any ? any : setOf(second), third: any, when, then }];
}

function triple(
  first: string,
  second: string | typeof any,
  third: string | typeof any,
  then: Then,
  when?: When,
): Named {
  return [first, { ...pair(first, second, then, when)[1], third: third === any ? any : setOf(third) }];
}

/** The rules by the kind of their first token, in the order of the table: the first that fits wins. */
function byFirst(table: readonly Named[]): readonly (readonly Rule[])[] {
  return Array.from(kindBits, (_, kind) =>
    table.filter(([first]) => first === '' || first.includes(String.fromCharCode(kind))).map(([, rule]) => rule),
  );
}

/** Drops the last tokens, so many of them, and begins again. */
function drop(count: number, back?: number): Then {
  return (window) => {
    window.drop(count, back);
    return 'again';
  };
}

const dropMiddle: Then = (window) => {
  window.dropMiddle();
  return 'again';
};

function become(window: Window, offset: 0 | 1, kind: number): Outcome {
  window.token(offset).kind = kind;
  return 'again';
}

/** The first token goes, the second takes its place. */
const dropFirst: Then = (window) => {
  window.token(0).copy(window.token(1));
  window.drop(1);
  return 'again';
};

const bytesOf = (text: string) => [...text].map((character) => character.charCodeAt(0));
const unarySigns = bytesOf('+-!~');
const arithmeticSigns = bytesOf('*/-+%');

export function isUnary(token: Token, value: Bytes): boolean {
  if (token.kind !== Kind.operator) return false;
  if (token.length === 1) return unarySigns.includes(token.byte(value, 0));
  return token.is(value, '!!') || token.is(value, 'NOT');
}

const secondIsUnary: When = (window) => isUnary(window.token(1), window.value);

function firstIs(...words: readonly Bytes[]): When {
  return (window) => words.some((word) => window.token(0).is(window.value, word));
}

/** Names of columns that are functions only where an argument list follows. */
const functionsByParenthesis = firstIs(
  ...['USER_ID', 'USER_NAME', 'DATABASE', 'PASSWORD', 'USER'],
  ...['CURRENT_USER', 'CURRENT_DATE', 'CURRENT_TIME', 'CURRENT_TIMESTAMP', 'LOCALTIME', 'LOCALTIMESTAMP'],
);

/** `x IN (1, 2)` compares; `IN BOOLEAN MODE` and a bare `in` do nothing. */
const decideIn: Then = (window) =>
  become(window, 0, window.token(1).kind === Kind.leftParenthesis ? Kind.operator : Kind.bareword);

/** `x LIKE 'y'` compares, `LIKE('y', x)` is a function. */
const decideLike: Then = (window) => {
  if (window.token(1).kind === Kind.leftParenthesis) become(window, 0, Kind.function);
  return 'on';
};

/** Collations are without number; what looks like one (`utf8_bin`) is taken for one. */
const decideCollation: Then = (window) => {
  if (window.token(1).text(window.value).includes('_')) {
    become(window, 1, Kind.type);
    window.beginAgain();
  }
  return 'on';
};

/** T-SQL reads `\1` as 1 and `\%1` as `0 % 1`. */
const decideBackslash: Then = (window) => {
  const { kind, length } = window.token(1);
  const isArithmetic =
    kind === Kind.operator && length === 1 && arithmeticSigns.includes(window.token(1).byte(window.value, 0));
  if (!isArithmetic) return dropFirst(window);
  become(window, 0, Kind.number);
  window.beginAgain();
  return 'again';
};

/** ODBC: `{name expression}` is the expression; MySQL takes an empty name, and nothing else would write one. */
const decideBrace: Then = (window) => {
  if (window.token(1).length > 0) return drop(2)(window);
  become(window, 1, Kind.evil);
  return 'end';
};

/** USER() tells the user; `user(x)` is somebody's own. */
const decideUser: Then = (window) => {
  if (firstIs('USER')(window)) become(window, 0, Kind.bareword);
  return 'on';
};

/** `1,-1` is to become `1,1` and then 1: that takes one token more of what stands in front. */
const dropSignAndPair: Then = (window) => {
  window.dropMiddle();
  window.drop(2);
  return 'again';
};

const words = 'knoUfETt';
const constants = 'n1vs';

export const pairRules = byFirst([
  pair('s', 's', drop(1, 0)),
  pair(';', ';', drop(1, 0)),
  pair('o&', 't', drop(1)),
  pair('o&', 'o', drop(1), secondIsUnary),
  pair('(', 'o', drop(1, 1), secondIsUnary),
  pair(words, `${words}&`, drop(1, 1), (window) => window.mergeWords()),
  // T-SQL: `; IF 1=1 …` is a statement, where elsewhere IF is a function.
  pair(
    ';',
    'f',
    (window) => become(window, 1, Kind.transact),
    (window) => /^if/i.test(window.token(1).text(window.value)),
  ),
  pair('nv', '(', (window) => become(window, 0, Kind.function), functionsByParenthesis),
  pair('k', any, decideIn, firstIs('IN', 'NOT IN')),
  pair('o', any, decideLike, firstIs('LIKE', 'NOT LIKE')),
  pair('t', 'n1t(fvs', dropFirst),
  pair('A', 'n', decideCollation),
  pair('\\', any, decideBackslash),
  pair('(', '(', drop(1)),
  pair(')', ')', drop(1)),
  pair('{', 'n', decideBrace),
  pair('', '}', drop(1)),
]);

export const tripleRules = byFirst([
  triple('1', 'o', '1', drop(2)),
  triple('o', any, 'o', drop(2), (window) => window.token(1).kind !== Kind.leftParenthesis),
  triple('&', any, '&', drop(2)),
  triple('v', 'o', 'v1n', drop(2)),
  triple('n1', 'o', '1n', drop(2)),
  triple(constants, 'o', 't', drop(2), (window) => window.token(1).is(window.value, '::')),
  triple(constants, ',', constants, drop(2)),
  triple('EB,', 'o', '(', dropMiddle, secondIsUnary),
  triple('kEB', 'o', `${constants}f`, dropMiddle, secondIsUnary),
  triple(',', 'o', constants, dropSignAndPair, secondIsUnary),
  triple(',', 'o', 'f', dropMiddle, secondIsUnary),
  triple('n', '.', 'n', drop(2)),
  triple('E', '.', 'n', dropMiddle),
  triple('f', '(', any, decideUser, (window) => window.token(2).kind !== Kind.rightParenthesis),
]);

/** Five tokens that are ordinary text: `1-(1)`, `name-(1)`, `1),(1`, `name)+(name`. */
export const plainBeginnings: readonly (readonly number[])[] = [
  ['1', 'o,', '(', '1', ')'],
  ['n', 'o', '(', 'n1', ')'],
  ['1', ')', ',', '(', '1'],
  ['n', ')', 'o', '(', 'n'],
].map((beginning) => beginning.map(setOf));
