import type { Bytes } from '../../bytes';
import {
  bitOf,
  isUnary,
  pairRules,
  plainBeginnings,
  setOf,
  tripleRules,
  type Outcome,
  type Window,
} from './folding-rules';
import { Kind, Token, tokenBytes } from './token';
import type { Tokenizer } from './tokenizer';
import { words } from './words';

/** A fingerprint has at most this many tokens; one more is read where it tells what the last of them is. */
const fingerprintTokens = 5;

/** What says nothing in front of everything else. */
const beginnings = setOf('c(t');

/**
 * Folds the tokens of a value until at most five are left, so that values that do the same look the same: comments go,
 * strings in a row are one, arithmetic on constants is a constant, words that form a phrase are one word. It looks at two
 * tokens, then at three, from `left` on; a rule that changes something mostly has it begin again at the first token.
 */
export class Folding implements Window {
  /** What is left; the first `fold()` of them count. */
  readonly tokens: readonly Token[] = Array.from({ length: fingerprintTokens + 3 }, () => new Token());
  value: Bytes = '';
  private size = 0;
  private left = 0;
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
      if (!this.more || this.left >= fingerprintTokens) break;
      if (this.step() === 'end') return this.left + 2;
    }
    this.left = this.size;
    if (this.left < fingerprintTokens && this.lastComment.kind === Kind.comment) {
      this.tokens[this.left++]!.copy(this.lastComment);
    }
    return Math.min(this.left, fingerprintTokens);
  }

  token(offset: number): Token {
    return this.tokens[this.left + offset]!;
  }

  drop(count: number, back: number = this.left): void {
    this.size -= count;
    this.left = Math.max(0, this.left - back);
  }

  dropMiddle(): void {
    this.token(1).copy(this.token(2));
    this.drop(1);
  }

  beginAgain(): void {
    this.left = 0;
  }

  mergeWords(): boolean {
    const first = this.token(0);
    const second = this.token(1);
    if (first.length + second.length + 1 > tokenBytes || !words.beginPhrase(first, this.value)) return false;
    const phrase = `${first.text(this.value)} ${second.text(this.value)}`;
    const kind = words.lookup(phrase, 0, phrase.length);
    if (kind === Kind.none) return false;
    first.merge(kind, phrase);
    return true;
  }

  private readFirst(): boolean {
    const first = this.tokens[0]!;
    do {
      this.more = this.tokenizer.next(first);
    } while (this.more && ((bitOf(first.kind) & beginnings) !== 0 || isUnary(first, this.value)));
    if (this.more) this.size = 1;
    return this.more;
  }

  /** One look at the tokens from `left` on. */
  private step(): Outcome {
    if (!this.readUpTo(2)) return 'on';
    const outcome = this.foldPair();
    if (outcome !== 'on') return outcome;
    if (!this.readUpTo(3)) return 'on';
    if (this.foldTriple() === 'on') this.left++;
    return 'again';
  }

  private foldPair(): Outcome {
    const second = bitOf(this.token(1).kind);
    for (const rule of pairRules[this.token(0).kind]!) {
      if ((rule.second & second) !== 0 && (rule.when === undefined || rule.when(this))) return rule.then(this);
    }
    return 'on';
  }

  private foldTriple(): Outcome {
    const second = bitOf(this.token(1).kind);
    const third = bitOf(this.token(2).kind);
    for (const rule of tripleRules[this.token(0).kind]!) {
      if ((rule.second & second) === 0 || (rule.third & third) === 0) continue;
      if (rule.when === undefined || rule.when(this)) return rule.then(this);
    }
    return 'on';
  }

  /** Reads on until `count` tokens stand from `left` on; where there are no more, `left` goes behind them. */
  private readUpTo(count: number): boolean {
    while (this.more && this.size <= fingerprintTokens && this.size - this.left < count) {
      const token = this.tokens[this.size]!;
      this.more = this.tokenizer.next(token);
      if (!this.more) break;
      if (token.kind === Kind.comment) {
        this.lastComment.copy(token);
      } else {
        this.lastComment.kind = Kind.none;
        this.size++;
      }
    }
    if (this.size - this.left >= count) return true;
    this.left = this.size;
    return false;
  }

  /** Makes room for what comes behind a beginning that is ordinary text. */
  private forgetPlainBeginning(): void {
    if (!plainBeginnings.some((kinds) => this.beginsWith(kinds))) return;
    const beyond = this.size > fingerprintTokens;
    if (beyond) this.tokens[1]!.copy(this.tokens[fingerprintTokens]!);
    this.size = beyond ? 2 : 1;
    this.left = 0;
  }

  private beginsWith(kinds: readonly number[]): boolean {
    for (let at = 0; at < kinds.length; at++) if ((kinds[at]! & bitOf(this.tokens[at]!.kind)) === 0) return false;
    return true;
  }
}
