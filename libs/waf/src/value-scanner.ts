import type { Bytes } from './bytes';
import type { PatternSet } from './regex/pattern-set';
import type { TransformTrie } from './transform-trie';
import type { TriggerClasses, ValuePlan } from './value-plan';

/** What was found in the forms of one value. */
export class Scan {
  constructor(
    private readonly forms: readonly Bytes[],
    /** By node of the trie: index of the form it makes. */
    private readonly formOfNode: Uint8Array,
    /** A row of patterns for each form. */
    private readonly rows: Uint32Array,
    private readonly words: number,
  ) {}

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
  private readonly formOfNode: Uint8Array;
  private readonly rows: Uint32Array;
  private readonly wantedOfForm: Uint32Array;
  private readonly forms: Bytes[] = [];
  private readonly classesOfForm: number[] = [];
  private readonly row: Uint32Array;
  private readonly rowWanted: Uint32Array;

  constructor(
    private readonly patterns: PatternSet,
    private readonly trie: TransformTrie,
    private readonly triggers: TriggerClasses,
  ) {
    this.words = patterns.words;
    this.formOfNode = new Uint8Array(trie.size);
    this.rows = new Uint32Array(trie.size * this.words);
    this.wantedOfForm = new Uint32Array(trie.size * this.words);
    this.row = new Uint32Array(this.words);
    this.rowWanted = new Uint32Array(this.words);
  }

  /**
   * @param found the patterns that were found in any form are added to it
   * @returns undefined where nothing was found.
   */
  scan(value: Bytes, plan: ValuePlan, found: Uint32Array): Scan | undefined {
    const classes = plan.nodes.length === 0 ? 0 : this.triggers.of(value);
    if ((classes & plan.triggers) === 0 && !plan.unconditional) return this.scanUnchanged(value, plan, found);
    this.startForms(value, classes, plan);
    for (let at = 0; at < plan.nodes.length; at++) this.makeForm(at, plan);
    let any = 0;
    for (let form = 0; form < this.forms.length; form++) {
      if (this.beginForm(form) !== 0) this.patterns.scan(this.forms[form]!, this.rowWanted, this.row);
      any |= this.endForm(form, found);
    }
    return any === 0 ? undefined : this.kept();
  }

  /** As `scan`, for values so long that others must have their turn in between. */
  *scanInSteps(value: Bytes, plan: ValuePlan, found: Uint32Array): Generator<void, Scan | undefined, void> {
    // Other transactions use this scanner while this one waits.
    const own = new ValueScanner(this.patterns, this.trie, this.triggers);
    own.startForms(value, this.triggers.of(value), plan);
    for (let at = 0; at < plan.nodes.length; at++) {
      own.makeForm(at, plan);
      yield;
    }
    let any = 0;
    for (let form = 0; form < own.forms.length; form++) {
      if (own.beginForm(form) !== 0) yield* this.patterns.scanInSteps(own.forms[form]!, own.rowWanted, own.row);
      any |= own.endForm(form, found);
      yield;
    }
    return any === 0 ? undefined : own.kept();
  }

  private scanUnchanged(value: Bytes, plan: ValuePlan, found: Uint32Array): Scan | undefined {
    const { row, words } = this;
    row.fill(0);
    this.patterns.scan(value, plan.all, row);
    let any = 0;
    for (let word = 0; word < words; word++) {
      found[word]! |= row[word]!;
      any |= row[word]!;
    }
    return any === 0 ? undefined : new Scan([value], new Uint8Array(this.formOfNode.length), row.slice(), words);
  }

  private startForms(value: Bytes, classes: number, plan: ValuePlan): void {
    const { words, wantedOfForm } = this;
    this.forms.length = 0;
    this.classesOfForm.length = 0;
    this.addForm(value, classes);
    for (let word = 0; word < words; word++) wantedOfForm[word] = plan.wanted[word]!;
    this.formOfNode[0] = 0;
  }

  /** Makes the form of the node at this place of the plan, or finds it made. */
  private makeForm(at: number, plan: ValuePlan): void {
    const { formOfNode, words, wantedOfForm } = this;
    const node = plan.nodes[at]!;
    const form = this.formAfter(formOfNode[this.trie.parentOf(node)]!, node);
    formOfNode[node] = form;
    const from = (at + 1) * words;
    for (let word = 0; word < words; word++) wantedOfForm[form * words + word]! |= plan.wanted[from + word]!;
  }

  private formAfter(parent: number, node: number): number {
    const trigger = this.triggers.triggerOf(node);
    if (trigger !== 0 && (this.classesOfForm[parent]! & trigger) === 0) return parent;
    const before = this.forms[parent]!;
    const after = this.trie.transformationOf(node).apply(before);
    if (after === before) return parent;
    const known = this.forms.indexOf(after);
    return known >= 0 ? known : this.addForm(after, this.triggers.of(after));
  }

  private addForm(value: Bytes, classes: number): number {
    const form = this.forms.push(value) - 1;
    this.classesOfForm.push(classes);
    this.wantedOfForm.fill(0, form * this.words, (form + 1) * this.words);
    return form;
  }

  /** @returns 0 where nothing is wanted of a form. */
  private beginForm(form: number): number {
    const { words, row, rowWanted, wantedOfForm } = this;
    const from = form * words;
    let wanted = 0;
    for (let word = 0; word < words; word++) {
      rowWanted[word] = wantedOfForm[from + word]!;
      wanted |= rowWanted[word]!;
      row[word] = 0;
    }
    return wanted;
  }

  /** @returns 0 where nothing was found in a form. */
  private endForm(form: number, found: Uint32Array): number {
    const { words, row, rows } = this;
    const from = form * words;
    let any = 0;
    for (let word = 0; word < words; word++) {
      rows[from + word] = row[word]!;
      found[word]! |= row[word]!;
      any |= row[word]!;
    }
    return any;
  }

  private kept(): Scan {
    const { forms, formOfNode, rows, words } = this;
    return new Scan([...forms], formOfNode.slice(), rows.slice(0, forms.length * words), words);
  }
}
