import type { Bytes } from '../bytes';
import type { Pattern } from '../regex/pattern';
import { foldName } from './fold-name';
import { Entries } from './entries';

export interface Member {
  readonly name: Bytes;
  readonly value: Bytes;
}

/** A collection that rules write, as `TX`. Letter case of a name does not count; the first spelling is kept. */
export class Store {
  private own = new Map<Bytes, Member | undefined>();
  /** Whether one of the base may have been deleted. */
  private deletes = false;
  /** Of a base: the names in it that a pattern was found in, by pattern. */
  private picked: Map<Pattern, readonly Bytes[]> | undefined;

  /** Told the name, in lower case, of each variable that is written. */
  onWrite: ((folded: Bytes) => void) | undefined;

  /** @param base what is in it at first; never written. */
  constructor(private readonly base?: Store) {}

  /** What was written, by name in lower case; undefined what was deleted. */
  get written(): ReadonlyMap<Bytes, Member | undefined> {
    return this.own;
  }

  get(name: Bytes): Bytes | undefined {
    return this.member(foldName(name))?.value;
  }

  /** @param folded a name in lower case */
  getFolded(folded: Bytes): Bytes | undefined {
    return this.member(folded)?.value;
  }

  /** @param folded the name in lower case */
  set(name: Bytes, value: Bytes, folded = foldName(name)): void {
    this.put(folded, { name: this.member(folded)?.name ?? name, value });
  }

  /** @param folded its name in lower case */
  put(folded: Bytes, member: Member): void {
    this.own.set(folded, member);
    this.onWrite?.(folded);
  }

  delete(name: Bytes): void {
    const folded = foldName(name);
    if (this.base?.member(folded)) {
      this.own.set(folded, undefined);
      this.deletes = true;
    } else this.own.delete(folded);
    this.onWrite?.(folded);
  }

  /** @returns a function that puts back what is in it now, to be called once at most */
  save(): () => void {
    const saved = new Map(this.own);
    return () => {
      this.own = saved;
    };
  }

  /** Everything in it, in the order of the first writing. */
  entries(): Entries {
    const names: Bytes[] = [];
    const values: Bytes[] = [];
    this.eachMember(({ name, value }) => {
      names.push(name);
      values.push(value);
    });
    return new Entries(names, values);
  }

  /** Those whose name a pattern is found in, in the order of the first writing. */
  matching(pattern: Pattern): Entries {
    const names: Bytes[] = [];
    const values: Bytes[] = [];
    this.eachMatching(pattern, ({ name, value }) => {
      names.push(name);
      values.push(value);
    });
    return new Entries(names, values);
  }

  /** How many there are whose name a pattern is found in. */
  countMatching(pattern: Pattern): number {
    let count = 0;
    this.eachMatching(pattern, () => count++);
    return count;
  }

  private eachMatching(pattern: Pattern, take: (member: Member) => void): void {
    const { base } = this;
    if (base) {
      for (const folded of base.namesLike(pattern)) {
        const member = this.member(folded);
        if (member) take(member);
      }
    }
    const { shortest = 0 } = pattern;
    this.own.forEach((member, folded) => {
      if (member && folded.length >= shortest && !base?.own.has(folded) && pattern.test(folded)) take(member);
    });
  }

  /** Nothing writes a base, so that it need be searched once. */
  private namesLike(pattern: Pattern): readonly Bytes[] {
    const known = this.picked?.get(pattern);
    if (known) return known;
    const names = [...this.own.keys()].filter((folded) => pattern.test(folded));
    (this.picked ??= new Map()).set(pattern, names);
    return names;
  }

  private member(folded: Bytes): Member | undefined {
    const own = this.own.get(folded);
    if (own || !this.base || (this.deletes && this.own.has(folded))) return own;
    return this.base.member(folded);
  }

  private eachMember(take: (member: Member) => void): void {
    const { base, own } = this;
    base?.own.forEach((member, folded) => {
      const seen = own.has(folded) ? own.get(folded) : member;
      if (seen) take(seen);
    });
    own.forEach((member, folded) => {
      if (member && !base?.own.has(folded)) take(member);
    });
  }
}
