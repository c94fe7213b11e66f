import type { Bytes } from './bytes';
import type { Captures } from './regex/pattern';
import type { PatternSet } from './regex/pattern-set';
import type { TransformTrie } from './transform-trie';
import { ROOT_GROUP, type Branch, type Stage, type TriggerClasses, type ValuePlan } from './value-plan';

/** What was found in the forms of one value. */
export class Scan {
  private captures: Map<number, Captures | undefined> | undefined;

  /** @param formOfNode by node of the trie: index of the form it makes; @param rows a row of patterns for each form */
  constructor(
    private readonly forms: readonly Bytes[],
    private readonly formOfNode: Uint16Array,
    private readonly rows: Uint32Array,
    private readonly words: number,
  ) {}

  /** Adds the patterns that were found in any form. */
  addTo(found: Uint32Array): void {
    for (let at = 0; at < this.rows.length; at++) found[at % this.words]! |= this.rows[at]!;
  }

  /** Groups of a pattern that was found in a form; they are looked for once, however often the value is met. */
  groups(node: number, bit: number, find: (form: Bytes) => Captures | undefined): Captures | undefined {
    const key = this.formOfNode[node]! * this.words * 32 + bit;
    this.captures ??= new Map();
    if (!this.captures.has(key)) this.captures.set(key, find(this.form(node)));
    return this.captures.get(key);
  }

  form(node: number): Bytes {
    return this.forms[this.formOfNode[node]!]!;
  }

  has(node: number, bit: number): boolean {
    const word = this.rows[this.formOfNode[node]! * this.words + (bit >>> 5)]!;
    return ((word >>> (bit & 31)) & 1) === 1;
  }
}

/**
 * Makes the forms of values and looks for patterns in them. Each different form is made and looked at once. One scanner serves
 * every transaction of a thread: between two calls it keeps nothing.
 */
export class ValueScanner {
  private readonly words: number;
  /** Of the value that is being scanned: its different forms, their classes, and a row of what is wanted of each. */
  private readonly forms: Bytes[] = [];
  private readonly classes: number[] = [];
  private readonly wanted: (Uint32Array | undefined)[] = [];
  /** Bytes each must have for anything wanted to be in it. */
  private readonly least: number[] = [];
  /** A row of what was found in each, and one for what several stages want of it. */
  private readonly rows: Uint32Array[];
  private readonly joined: Uint32Array[];

  constructor(
    private readonly patterns: PatternSet,
    private readonly trie: TransformTrie,
    private readonly triggers: TriggerClasses,
  ) {
    this.words = patterns.words;
    this.rows = Array.from({ length: trie.size }, () => new Uint32Array(this.words));
    this.joined = Array.from({ length: trie.size }, () => new Uint32Array(this.words));
  }

  /**
   * @param found the patterns that were found in any form are added to it
   * @returns undefined where nothing was found.
   */
  scan(value: Bytes, plan: ValuePlan, found: Uint32Array): Scan | undefined {
    const known = plan.known?.get(value);
    if (known === null) return undefined;
    if (known) {
      known.addTo(found);
      return known;
    }
    const classes = this.triggers.of(value);
    const stage = plan.stage(ROOT_GROUP, classes);
    this.start(value, classes);
    this.want(0, stage);
    if (stage.branches.length > 0) this.follow(0, stage.branches, plan);
    let any = 0;
    for (let form = 0; form < this.forms.length; form++) {
      if (this.begin(form)) this.patterns.scan(this.forms[form]!, this.wanted[form]!, this.rows[form]!);
      any |= this.end(form, found);
    }
    const scan = any === 0 ? undefined : this.kept(plan);
    plan.known?.add(value, scan ?? null);
    return scan;
  }

  /** As `scan`, for values so long that others must have their turn in between. */
  *scanInSteps(value: Bytes, plan: ValuePlan, found: Uint32Array): Generator<void, Scan | undefined, void> {
    // Other transactions use this scanner while this one waits.
    const own = new ValueScanner(this.patterns, this.trie, this.triggers);
    own.start(value, own.triggers.of(value));
    yield* own.makeInSteps(plan);
    let any = 0;
    for (let form = 0; form < own.forms.length; form++) {
      if (own.begin(form)) yield* own.patterns.scanInSteps(own.forms[form]!, own.wanted[form]!, own.rows[form]!);
      any |= own.end(form, found);
      yield;
    }
    return any === 0 ? undefined : own.kept(plan);
  }

  private start(value: Bytes, classes: number): void {
    this.forms.length = 0;
    this.classes.length = 0;
    this.least.length = 0;
    this.add(value, classes);
  }

  private want(form: number, { wanted, wantsAny, least }: Stage): void {
    if (!wantsAny) return;
    if (least < this.least[form]!) this.least[form] = least;
    const before = this.wanted[form];
    if (!before) {
      this.wanted[form] = wanted;
      return;
    }
    const joined = this.joined[form]!;
    for (let word = 0; word < this.words; word++) joined[word] = before[word]! | wanted[word]!;
    this.wanted[form] = joined;
  }

  /** Makes the forms that branch off one, and those that branch off them. */
  private follow(form: number, branches: readonly Branch[], plan: ValuePlan): void {
    for (const branch of branches) {
      const made = this.make(form, branch);
      const stage = plan.stage(branch.group, this.classes[made]!);
      this.want(made, stage);
      if (stage.branches.length > 0) this.follow(made, stage.branches, plan);
    }
  }

  private *makeInSteps(plan: ValuePlan): Generator<void, void, void> {
    const open: { form: number; stage: Stage }[] = [{ form: 0, stage: plan.stage(ROOT_GROUP, this.classes[0]!) }];
    for (let next = open.pop(); next; next = open.pop()) {
      this.want(next.form, next.stage);
      for (const branch of next.stage.branches) {
        const form = this.make(next.form, branch);
        open.push({ form, stage: plan.stage(branch.group, this.classes[form]!) });
        yield;
      }
    }
  }

  private make(form: number, { transformation }: Branch): number {
    const before = this.forms[form]!;
    const after = transformation.apply(before);
    if (after === before) return form;
    const known = this.forms.indexOf(after);
    return known >= 0 ? known : this.add(after, this.triggers.of(after));
  }

  private add(value: Bytes, classes: number): number {
    const form = this.forms.push(value) - 1;
    this.classes.push(classes);
    this.least.push(Infinity);
    this.wanted[form] = undefined;
    return form;
  }

  /** @returns whether anything that is wanted of a form can be in it. */
  private begin(form: number): boolean {
    this.rows[form]!.fill(0);
    return this.wanted[form] !== undefined && this.forms[form]!.length >= this.least[form]!;
  }

  /** @returns 0 where nothing was found in a form. */
  private end(form: number, found: Uint32Array): number {
    const row = this.rows[form]!;
    let any = 0;
    for (let word = 0; word < row.length; word++) {
      const bits = row[word]!;
      if (bits === 0) continue;
      found[word]! |= bits;
      any |= bits;
    }
    return any;
  }

  /** Something was found: now it is told which node makes which form. */
  private kept(plan: ValuePlan): Scan {
    const { forms, rows, words, trie } = this;
    const formOfNode = new Uint16Array(trie.size);
    for (const node of plan.nodes) {
      const before = forms[formOfNode[trie.parentOf(node)]!]!;
      formOfNode[node] = forms.indexOf(trie.transformationOf(node).apply(before));
    }
    const found = new Uint32Array(forms.length * words);
    for (let form = 0; form < forms.length; form++) found.set(rows[form]!, form * words);
    return new Scan([...forms], formOfNode, found, words);
  }
}
