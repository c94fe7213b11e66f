import type { ByteGroups } from './byte-groups';
import type { Bytes } from './bytes';
import type { Captures, Pattern } from './regex/pattern';
import type { PatternSet, Room, Wanted } from './regex/pattern-set';
import type { TransformTrie } from './transform-trie';
import { ROOT_GROUP, type Branch, type Stage, type ValuePlan } from './value-plan';

/** What was found in the forms of one value. */
export class Scan {
  private captures: Map<number, Captures | undefined> | undefined;
  /** By node of the trie: index of the form it makes and 1 more; 0 where nobody has asked for it yet. */
  private readonly formOfNode: Uint16Array;

  /**
   * @param forms the value, and what was made of it
   * @param rows a row of patterns for each of them, `words` long
   */
  constructor(
    private readonly forms: Bytes[],
    private readonly rows: Uint32Array,
    private readonly words: number,
    private readonly trie: TransformTrie,
  ) {
    this.formOfNode = new Uint16Array(trie.size);
    this.formOfNode[0] = 1;
  }

  get value(): Bytes {
    return this.forms[0]!;
  }

  /** Adds the patterns that were found in any form. */
  addTo(found: Uint32Array): void {
    for (let at = 0; at < this.rows.length; at++) found[at % this.words]! |= this.rows[at]!;
  }

  /** Groups of a pattern that was found in a form; they are looked for once, however often the value is met. */
  groups(node: number, bit: number, find: (form: Bytes) => Captures | undefined): Captures | undefined {
    const key = this.keyOf(node, bit);
    this.captures ??= new Map();
    if (!this.captures.has(key)) this.captures.set(key, find(this.form(node)));
    return this.captures.get(key);
  }

  /** Looks for groups that `groups` then knows, with places in between at which others may have their turn. */
  *prepareGroups(node: number, bit: number, find: NonNullable<Pattern['execInSteps']>): Generator<void, void, void> {
    const key = this.keyOf(node, bit);
    if (this.captures?.has(key)) return;
    const groups = yield* find(this.form(node));
    (this.captures ??= new Map()).set(key, groups);
  }

  form(node: number): Bytes {
    return this.forms[this.indexOf(node)]!;
  }

  has(node: number, bit: number): boolean {
    // A form without a row was not made before: nothing wanted could be in it.
    const word = this.rows[this.indexOf(node) * this.words + (bit >>> 5)] ?? 0;
    return ((word >>> (bit & 31)) & 1) === 1;
  }

  private keyOf(node: number, bit: number): number {
    return this.indexOf(node) * this.words * 32 + bit;
  }

  private indexOf(node: number): number {
    const known = this.formOfNode[node]!;
    if (known > 0) return known - 1;
    const before = this.form(this.trie.parentOf(node));
    const form = this.trie.transformationOf(node).apply(before);
    const index = this.forms.indexOf(form);
    this.formOfNode[node] = index >= 0 ? index + 1 : this.forms.push(form);
    return this.formOfNode[node] - 1;
  }
}

/** Bytes that no form has: nothing is wanted of it. */
const NEVER = 0x7fffffff;
/** Scanners for values in steps that are kept for the next ones. */
const MOST_SPARE = 4;

/**
 * Makes the forms of values and looks for patterns in them. Each different form is made and looked at once. One scanner serves
 * every transaction of a thread: between two calls it keeps nothing.
 */
export class ValueScanner {
  private readonly words: number;
  private readonly room: Room;
  /** Of the value that is being scanned: how many different forms it has so far, and the forms. */
  private count = 0;
  private readonly forms: Bytes[] = [];
  /** By form: groups of its bytes. */
  private readonly bytes: number[] = [];
  /** By form: how many bytes it must have for anything that is wanted to be in it, and what is wanted. */
  private readonly least: number[] = [];
  private readonly wanted: Wanted[] = [];
  /** By form: a row of what was found in it, nothing between two scans; and what several stages want of it. */
  private readonly rows: Uint32Array[] = [];
  private readonly joined: Wanted[] = [];
  private readonly spare: ValueScanner[] = [];

  constructor(
    private readonly patterns: PatternSet,
    private readonly trie: TransformTrie,
    private readonly groups: ByteGroups,
  ) {
    this.words = patterns.words;
    this.room = patterns.room();
  }

  /**
   * @param found the patterns that were found in any form are added to it
   * @returns undefined where nothing was found.
   */
  scan(value: Bytes, plan: ValuePlan, found: Uint32Array): Scan | undefined {
    const { known } = plan;
    if (!known) return this.look(value, plan, found);
    const scan = known.get(value);
    if (scan === null) return undefined;
    if (scan) {
      scan.addTo(found);
      return scan;
    }
    const fresh = this.look(value, plan, found);
    known.add(value, fresh ?? null);
    return fresh;
  }

  /** As `scan`, for values so long that others must have their turn in between. */
  *scanInSteps(value: Bytes, plan: ValuePlan, found: Uint32Array): Generator<void, Scan | undefined, void> {
    // Others use this scanner while this one waits.
    const own = this.spare.pop() ?? new ValueScanner(this.patterns, this.trie, this.groups);
    const scan = yield* own.lookInSteps(value, plan, found);
    if (this.spare.length < MOST_SPARE) this.spare.push(own);
    return scan;
  }

  private look(value: Bytes, plan: ValuePlan, found: Uint32Array): Scan | undefined {
    // The scan before this one threw.
    if (this.count > 0) this.forget(true);
    const bytes = this.groups.of(value);
    const stage = plan.stage(ROOT_GROUP, bytes);
    this.add(value, bytes);
    if (stage.wanted) this.want(0, stage.wanted, stage.least);
    if (stage.branches.length > 0) this.follow(0, stage.branches, plan);
    let any = false;
    for (let form = 0; form < this.count; form++) {
      const text = this.forms[form]!;
      if (text.length < this.least[form]!) continue;
      if (this.patterns.scan(text, this.wanted[form]!, this.rows[form]!, this.room)) any = true;
    }
    return this.finish(any, found);
  }

  private *lookInSteps(value: Bytes, plan: ValuePlan, found: Uint32Array): Generator<void, Scan | undefined, void> {
    this.add(value, this.groups.of(value));
    yield* this.makeInSteps(plan);
    let any = false;
    for (let form = 0; form < this.count; form++) {
      const text = this.forms[form]!;
      if (text.length < this.least[form]!) continue;
      if (yield* this.patterns.scanInSteps(text, this.wanted[form]!, this.rows[form]!, this.room)) any = true;
      yield;
    }
    return this.finish(any, found);
  }

  private want(form: number, wanted: Wanted, least: number): void {
    const before = this.least[form]!;
    if (before === NEVER) {
      this.least[form] = least;
      this.wanted[form] = wanted;
      return;
    }
    if (least < before) this.least[form] = least;
    const joined = (this.joined[form] ??= this.patterns.wantedOnce(new Uint32Array(this.words)));
    const others = this.wanted[form]!;
    for (let word = 0; word < this.words; word++) joined.row[word] = others.row[word]! | wanted.row[word]!;
    this.wanted[form] = joined;
  }

  /** Makes the forms that branch off one, and those that branch off them. */
  private follow(form: number, branches: readonly Branch[], plan: ValuePlan): void {
    const { length } = this.forms[form]!;
    for (const branch of branches) {
      if (length < branch.least) continue;
      const made = this.make(form, branch);
      const stage = plan.stage(branch.group, this.bytes[made]!);
      if (stage.wanted) this.want(made, stage.wanted, stage.least);
      if (stage.branches.length > 0) this.follow(made, stage.branches, plan);
    }
  }

  private *makeInSteps(plan: ValuePlan): Generator<void, void, void> {
    const open: { form: number; stage: Stage }[] = [{ form: 0, stage: plan.stage(ROOT_GROUP, this.bytes[0]!) }];
    for (let next = open.pop(); next; next = open.pop()) {
      const { wanted, least } = next.stage;
      if (wanted) this.want(next.form, wanted, least);
      const { length } = this.forms[next.form]!;
      for (const branch of next.stage.branches) {
        if (length < branch.least) continue;
        const form = this.make(next.form, branch);
        open.push({ form, stage: plan.stage(branch.group, this.bytes[form]!) });
        yield;
      }
    }
  }

  private make(form: number, { transformation }: Branch): number {
    const before = this.forms[form]!;
    const after = transformation.apply(before);
    if (after === before) return form;
    for (let known = 0; known < this.count; known++) if (this.forms[known] === after) return known;
    return this.add(after, this.groups.of(after));
  }

  private add(value: Bytes, bytes: number): number {
    const form = this.count++;
    this.forms[form] = value;
    this.bytes[form] = bytes;
    this.least[form] = NEVER;
    this.rows[form] ??= new Uint32Array(this.words);
    return form;
  }

  /** Forgets the value. @param any whether anything was found, which is added to `found` */
  private finish(any: boolean, found: Uint32Array): Scan | undefined {
    const scan = any ? this.kept() : undefined;
    this.forget(any);
    scan?.addTo(found);
    return scan;
  }

  private forget(any: boolean): void {
    for (let form = 0; form < this.count; form++) {
      this.forms[form] = '';
      if (any) this.rows[form]!.fill(0);
    }
    this.count = 0;
  }

  private kept(): Scan {
    const { count, rows, words, trie } = this;
    const found = new Uint32Array(count * words);
    for (let form = 0; form < count; form++) found.set(rows[form]!, form * words);
    return new Scan(this.forms.slice(0, count), found, words, trie);
  }
}
