import type { Bytes } from '../../bytes';
import { Kind, Token, tokenBytes } from './token';
import type { Tokenizer } from './tokenizer';
import { words } from './words';

/** A fingerprint has at most this many tokens; one more is read where it tells what the last of them is. */
const fingerprintTokens = 5;

/**
 * Folds the tokens of a value until at most five are left, so that `1+2*3 /* x *\/ or (1)` and `1 or 1` look alike: comments go, strings
 * in a row are one, arithmetic on constants is a constant, words that form a phrase are one word. The rules stand in tables below; the
 * first that fits the tokens at `left` wins, and a rule that changes something mostly has the tokens looked at once more.
 */
export class Folding {
  /** What is left; the first `fold()` of them count. */
  readonly tokens: readonly Token[] = Array.from({ length: fingerprintTokens + 3 }, () => new Token());
  value: Bytes = '';
  size = 0;
  left = 0;

  private more = true;
  private readonly lastComment = new Token();

  constructor(private readonly tokenizer: Tokenizer) {}

  /** Folds what the tokenizer, freshly started, reads. @returns how many tokens are left. */
  fold(): number {
    this.value = this.tokenizer.value;
    this.size = 0;
    this.left = 0;
    this.more = true;
    this.lastComment.kind = Kind.none;
    if (!this.readFirst()) return 0;
    for (;;) {
      if (this.size >= fingerprintTokens) this.forgetPlainBeginning();
      if (!this.more || this.left >= fingerprintTokens) {
        this.left = this.size;
        break;
      }
      const end = this.step();
      if (end !== undefined) return end;
    }
    if (this.left < fingerprintTokens && this.lastComment.kind === Kind.comment) {
      this.tokens[this.left++]!.copy(this.lastComment);
    }
    return Math.min(this.left, fingerprintTokens);
  }

  token(offset: number): Token {
    return this.tokens[this.left + offset]!;
  }

  is(offset: number, word: Bytes): boolean {
    return this.token(offset).is(this.value, word);
  }

  isUnary(offset: number): boolean {
    return isUnary(this.token(offset), this.value);
  }

  /** Drops the last `count` tokens and begins again at the first one, or `back` tokens further left than now. */
  drop(count: number, back: number = this.left): true {
    this.size -= count;
    this.left = Math.max(0, this.left - back);
    return true;
  }

  /** Puts the third token where the second was. */
  dropMiddle(): true {
    this.token(1).copy(this.token(2));
    return this.drop(1);
  }

  /** Parentheses, signs, types and comments in front of everything say nothing. */
  private readFirst(): boolean {
    const first = this.tokens[0]!;
    do {
      this.more = this.tokenizer.next(first);
    } while (this.more && (isOneOf(first, 'c(t') || isUnary(first, this.value)));
    if (this.more) this.size = 1;
    return this.more;
  }

  /** One look at the tokens from `left` on. @returns the number of tokens where they end at once. */
  private step(): number | undefined {
    this.readUpTo(2);
    if (this.size - this.left < 2) {
      this.left = this.size;
      return undefined;
    }
    const pair = this.firstPairRule();
    if (pair?.then(this) === true) return undefined;
    if (pair?.ends === true && this.token(1).kind === Kind.evil) return this.left + 2;
    this.readUpTo(3);
    if (this.size - this.left < 3) {
      this.left = this.size;
      return undefined;
    }
    if (!this.foldThree()) this.left++;
    return undefined;
  }

  private firstPairRule(): PairRule | undefined {
    const second = this.token(1).kind;
    return pairRules[this.token(0).kind]?.find((rule) => fits(rule.second, second) && (rule.when?.(this) ?? true));
  }

  private foldThree(): boolean {
    const second = this.token(1).kind;
    const third = this.token(2).kind;
    const rule = tripleRules[this.token(0).kind]?.find(
      (candidate) => fits(candidate.second, second) && fits(candidate.third, third) && (candidate.when?.(this) ?? true),
    );
    return rule?.then(this) ?? false;
  }

  private readUpTo(count: number): void {
    while (this.more && this.size <= fingerprintTokens && this.size - this.left < count) {
      const token = this.tokens[this.size]!;
      this.more = this.tokenizer.next(token);
      if (!this.more) return;
      if (token.kind === Kind.comment) {
        this.lastComment.copy(token);
      } else {
        this.lastComment.kind = Kind.none;
        this.size++;
      }
    }
  }

  /** Four beginnings of five tokens are ordinary text (`1-(1)`, `name) + (name`) and make room for what comes behind them. */
  private forgetPlainBeginning(): void {
    if (!plainBeginnings.some((beginning) => this.beginsWith(beginning))) return;
    const beyond = this.size > fingerprintTokens;
    if (beyond) this.tokens[1]!.copy(this.tokens[fingerprintTokens]!);
    this.size = beyond ? 2 : 1;
    this.left = 0;
  }

  private beginsWith(kinds: readonly string[]): boolean {
    return kinds.every((some, at) => fits(some, this.tokens[at]!.kind));
  }

  /** Whether the words at `left` form a phrase; then they are one word. */
  mergeWords(): boolean {
    const first = this.token(0);
    const second = this.token(1);
    if (first.length + second.length + 1 > tokenBytes) return false;
    const text = first.text(this.value);
    if (!words.beginsPhrase(text)) return false;
    const phrase = `${text} ${second.text(this.value)}`;
    const kind = words.lookup(phrase, 0, phrase.length);
    if (kind === Kind.none) return false;
    first.merge(kind, phrase);
    return true;
  }
}

/** Kinds are written as in a fingerprint; undefined stands for any. */
function fits(kinds: string | undefined, kind: number): boolean {
  return kinds === undefined || kinds.includes(String.fromCharCode(kind));
}

function isOneOf(token: Token, kinds: string): boolean {
  return fits(kinds, token.kind);
}

function isUnary(token: Token, value: Bytes): boolean {
  if (token.kind !== Kind.operator) return false;
  if (token.length === 1) return '+-!~'.includes(token.text(value));
  return token.is(value, '!!') || token.is(value, 'NOT');
}

const plainBeginnings: readonly (readonly string[])[] = [
  ['1', 'o,', '(', '1', ')'],
  ['n', 'o', '(', 'n1', ')'],
  ['1', ')', ',', '(', '1'],
  ['n', ')', 'o', '(', 'n'],
];

/** What happens to two tokens; `then` says whether they are to be looked at again (else the third token is read). */
interface PairRule {
  readonly second?: string;
  readonly when?: (folding: Folding) => boolean;
  readonly then: (folding: Folding) => boolean;
  /** A second token that is now evil ends the folding. */
  readonly ends?: boolean;
}

interface TripleRule {
  readonly second?: string;
  readonly third?: string;
  readonly when?: (folding: Folding) => boolean;
  readonly then: (folding: Folding) => boolean;
}

/** Names of columns that are functions only where an argument list follows. */
const functionsByParenthesis = [
  ...['USER_ID', 'USER_NAME', 'DATABASE', 'PASSWORD', 'USER'],
  ...['CURRENT_USER', 'CURRENT_DATE', 'CURRENT_TIME', 'CURRENT_TIMESTAMP', 'LOCALTIME', 'LOCALTIMESTAMP'],
];

const pairTable: readonly (readonly [first: string, rule: PairRule])[] = [
  ['s', { second: 's', then: (folding) => folding.drop(1, 0) }],
  [';', { second: ';', then: (folding) => folding.drop(1, 0) }],
  [
    'o&',
    {
      second: 'ot',
      when: (folding) => folding.token(1).kind === Kind.type || folding.isUnary(1),
      then: (folding) => folding.drop(1),
    },
  ],
  ['(', { second: 'o', when: (folding) => folding.isUnary(1), then: (folding) => folding.drop(1, 1) }],
  ['knoUfETt', { second: 'knoUfETt&', when: (folding) => folding.mergeWords(), then: (folding) => folding.drop(1, 1) }],
  // T-SQL: `; IF 1=1 …` is a statement, where elsewhere IF is a function.
  [
    ';',
    {
      second: 'f',
      when: ({ tokens, left, value }) => /^if/i.test(tokens[left + 1]!.text(value)),
      then: (folding) => become(folding, 1, Kind.transact),
    },
  ],
  [
    'nv',
    {
      second: '(',
      when: (folding) => functionsByParenthesis.some((name) => folding.is(0, name)),
      then: (folding) => become(folding, 0, Kind.function),
    },
  ],
  // `x IN (1, 2)` compares; `IN BOOLEAN MODE` and a bare `in` do nothing.
  [
    'k',
    {
      when: (folding) => folding.is(0, 'IN') || folding.is(0, 'NOT IN'),
      then: (folding) =>
        become(folding, 0, folding.token(1).kind === Kind.leftParenthesis ? Kind.operator : Kind.bareword),
    },
  ],
  [
    'o',
    {
      when: (folding) => folding.is(0, 'LIKE') || folding.is(0, 'NOT LIKE'),
      then: (folding) => {
        if (folding.token(1).kind === Kind.leftParenthesis) become(folding, 0, Kind.function);
        return false;
      },
    },
  ],
  [
    't',
    {
      second: 'n1t(fvs',
      then: (folding) => {
        folding.token(0).copy(folding.token(1));
        return folding.drop(1);
      },
    },
  ],
  // Collations are without number; what looks like one (`utf8_bin`) is taken for one.
  [
    'A',
    {
      second: 'n',
      then: (folding) => {
        if (folding.token(1).text(folding.value).includes('_')) {
          become(folding, 1, Kind.type);
          folding.left = 0;
        }
        return false;
      },
    },
  ],
  // T-SQL reads `\1` as 1 and `\%1` as `0 % 1`.
  [
    '\\',
    {
      then: (folding) => {
        if (isArithmetic(folding.token(1), folding.value)) {
          become(folding, 0, Kind.number);
          return folding.drop(0);
        }
        folding.token(0).copy(folding.token(1));
        return folding.drop(1);
      },
    },
  ],
  ['(', { second: '(', then: (folding) => folding.drop(1) }],
  [')', { second: ')', then: (folding) => folding.drop(1) }],
  // ODBC: `{name expression}` is the expression; MySQL takes an empty name, and nothing else would write one.
  [
    '{',
    {
      second: 'n',
      ends: true,
      then: (folding) => {
        if (folding.token(1).length > 0) return folding.drop(2);
        become(folding, 1, Kind.evil);
        return false;
      },
    },
  ],
];

const closingBrace: PairRule = { second: '}', then: (folding) => folding.drop(1) };

const constants = 'n1vs';

const tripleTable: readonly (readonly [first: string, rule: TripleRule])[] = [
  ['1', { second: 'o', third: '1', then: (folding) => folding.drop(2) }],
  [
    'o',
    {
      third: 'o',
      when: (folding) => folding.token(1).kind !== Kind.leftParenthesis,
      then: (folding) => folding.drop(2),
    },
  ],
  ['&', { third: '&', then: (folding) => folding.drop(2) }],
  ['v', { second: 'o', third: 'v1n', then: (folding) => folding.drop(2) }],
  ['n1', { second: 'o', third: '1n', then: (folding) => folding.drop(2) }],
  [constants, { second: 'o', third: 't', when: (folding) => folding.is(1, '::'), then: (folding) => folding.drop(2) }],
  [constants, { second: ',', third: constants, then: (folding) => folding.drop(2) }],
  ['EB,', { second: 'o', third: '(', when: (folding) => folding.isUnary(1), then: (folding) => folding.dropMiddle() }],
  [
    'kEB',
    {
      second: 'o',
      third: `${constants}f`,
      when: (folding) => folding.isUnary(1),
      then: (folding) => folding.dropMiddle(),
    },
  ],
  // `1,-1` is to become `1,1` and then 1: that takes one token more of what stands in front.
  [
    ',',
    {
      second: 'o',
      third: constants,
      when: (folding) => folding.isUnary(1),
      then: (folding) => {
        folding.dropMiddle();
        return folding.drop(2);
      },
    },
  ],
  [',', { second: 'o', third: 'f', when: (folding) => folding.isUnary(1), then: (folding) => folding.dropMiddle() }],
  ['n', { second: '.', third: 'n', then: (folding) => folding.drop(2) }],
  ['E', { second: '.', third: 'n', then: (folding) => folding.dropMiddle() }],
  // USER() tells the user; `user(x)` is somebody's own.
  [
    'f',
    {
      second: '(',
      when: (folding) => folding.token(2).kind !== Kind.rightParenthesis,
      then: (folding) => {
        if (folding.is(0, 'USER')) become(folding, 0, Kind.bareword);
        return false;
      },
    },
  ],
];

function become(folding: Folding, offset: number, kind: number): true {
  folding.token(offset).kind = kind;
  return true;
}

function isArithmetic(token: Token, value: Bytes): boolean {
  return token.kind === Kind.operator && token.length === 1 && '*/-+%'.includes(token.text(value));
}

/** The rules by the kind of their first token, in the order of the table. */
function byFirst<Rule>(table: readonly (readonly [first: string, rule: Rule])[]): readonly (Rule[] | undefined)[] {
  const rules = Array.from({ length: 128 }, (_, kind) =>
    table.filter(([first]) => first.includes(String.fromCharCode(kind))).map(([, rule]) => rule),
  );
  return rules;
}

const pairRules = byFirst(pairTable).map((rules) => [...(rules ?? []), closingBrace]);
const tripleRules = byFirst(tripleTable);
