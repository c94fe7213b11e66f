import type { ByteSet, Bytes } from './bytes';
import type { Pattern } from './regex/pattern';
import type { TransformTrie } from './transform-trie';
import type { Transformation } from './transformations/transformation';
import type { Scan } from './value-scanner';

/** One thing that is looked for: a pattern in the form that a node of the trie makes of a value. */
export interface Want {
  readonly node: number;
  readonly bit: number;
  /** Bytes of the shortest value the pattern can be in. */
  readonly least: number;
  /** Class of the bytes without which the pattern is in no value; 0 where none is known. */
  readonly trigger: number;
}

/** Bytes told apart by what they trigger: a value whose bytes trigger nothing of a transformation passes it unchanged. */
export class TriggerClasses {
  private readonly classes = new Int32Array(256);
  private readonly known: ByteSet[] = [];
  private readonly ofTransformation = new Map<Transformation, number>();
  private readonly ofPattern = new Map<Pattern, number>();

  constructor(trie: TransformTrie, patterns: readonly Pattern[]) {
    for (let node = 1; node < trie.size; node++) {
      const transformation = trie.transformationOf(node);
      this.ofTransformation.set(transformation, this.classOf(transformation.trigger));
    }
    for (const pattern of patterns) this.ofPattern.set(pattern, this.classOf(pattern.trigger));
  }

  /** Classes of the bytes of a value, or'ed. */
  of(value: Bytes): number {
    const { classes } = this;
    let found = 0;
    for (let at = 0; at < value.length; at++) found |= classes[value.charCodeAt(at) & 0xff]!;
    return found;
  }

  /** @returns the class that triggers a transformation; 0 where it may change any value. */
  triggerOf(transformation: Transformation): number {
    return this.ofTransformation.get(transformation)!;
  }

  /** @returns the class without which a pattern is in no value; 0 where none is known. */
  triggerOfPattern(pattern: Pattern): number {
    return this.ofPattern.get(pattern) ?? 0;
  }

  /** Beyond 32 different sets nothing is known of the others: what they would spare is simply done. */
  private classOf(trigger: ByteSet | undefined): number {
    if (!trigger) return 0;
    let index = this.known.findIndex((other) => sameBytes(other, trigger));
    if (index < 0) {
      if (this.known.length === 32) return 0;
      index = this.known.push(trigger) - 1;
      for (let byte = 0; byte < 256; byte++) if (trigger.has(byte)) this.classes[byte]! |= 1 << index;
    }
    return 1 << index;
  }
}

function sameBytes(one: ByteSet, other: ByteSet): boolean {
  for (let byte = 0; byte < 256; byte++) if (one.has(byte) !== other.has(byte)) return false;
  return true;
}

/** What is to be done with one form of a value. */
export interface Stage {
  /** The patterns looked for in it: those of every node that leaves it as it is. */
  readonly wanted: Uint32Array;
  readonly wantsAny: boolean;
  /** Bytes a form must have for any of them to be in it. */
  readonly least: number;
  /** Transformations that may change it, each with the number of the nodes it leads to. */
  readonly branches: readonly Branch[];
}

export interface Branch {
  readonly transformation: Transformation;
  readonly group: number;
}

/** The nodes every value begins at: the root alone. */
export const ROOT_GROUP = 0;
/** Stages kept of a plan; values differ in more ways than rules tell apart only when somebody makes them. */
const MAX_STAGES = 4096;

/**
 * What is looked for in the values of one variable, or of some of its members. Which nodes of the trie change a form follows
 * from the classes of its bytes alone, so that for each combination that occurs it is found out once.
 */
export class ValuePlan {
  /** Nodes that lead to a form somebody looks at, by their parent. */
  private readonly children = new Map<number, number[]>();
  private readonly wants = new Map<number, Want[]>();
  private readonly groups: (readonly number[])[] = [[0]];
  private readonly groupNumbers = new Map<string, number>([['0', ROOT_GROUP]]);
  private stages: Map<number, Stage>[] = [];
  private stageCount = 0;
  /** Ascending, so that parents come before children; the root is none of them. */
  readonly nodes: readonly number[];

  /** @param words 32-bit words of a row of patterns */
  constructor(
    wants: readonly Want[],
    private readonly trie: TransformTrie,
    private readonly triggers: TriggerClasses,
    private readonly words: number,
    /** Set where values are such as may be kept. */
    readonly known: KnownValues | undefined = undefined,
  ) {
    const needed = new Set(wants.flatMap(({ node }) => trie.pathTo(node)));
    needed.delete(0);
    this.nodes = [...needed].sort((one, other) => one - other);
    for (const node of this.nodes) pushTo(this.children, trie.parentOf(node), node);
    for (const want of wants) pushTo(this.wants, want.node, want);
  }

  /** @param classes those of the form that the nodes of the group have made */
  stage(group: number, classes: number): Stage {
    const known = this.stages[group]?.get(classes);
    return known ?? this.makeStage(group, classes);
  }

  private makeStage(group: number, classes: number): Stage {
    if (++this.stageCount > MAX_STAGES) {
      this.stages = [];
      this.stageCount = 0;
    }
    const wants: Want[] = [];
    const changing = new Map<Transformation, number[]>();
    for (const node of this.groups[group]!) this.follow(node, classes, wants, changing);
    const wanted = new Uint32Array(this.words);
    for (const { bit } of wants) wanted[bit >>> 5]! |= 1 << (bit & 31);
    const least = wants.reduce((smallest, want) => Math.min(smallest, want.least), Infinity);
    const branches = [...changing].map(([transformation, nodes]) => ({ transformation, group: this.groupOf(nodes) }));
    const stage: Stage = { wanted, wantsAny: wants.length > 0, least, branches };
    (this.stages[group] ??= new Map()).set(classes, stage);
    return stage;
  }

  /** Gathers what is wanted of a form at a node and at those below that leave it as it is. */
  private follow(node: number, classes: number, wants: Want[], changing: Map<Transformation, number[]>): void {
    for (const want of this.wants.get(node) ?? []) {
      if (want.trigger === 0 || (classes & want.trigger) !== 0) wants.push(want);
    }
    for (const child of this.children.get(node) ?? []) {
      const transformation = this.trie.transformationOf(child);
      const trigger = this.triggers.triggerOf(transformation);
      if (trigger !== 0 && (classes & trigger) === 0) this.follow(child, classes, wants, changing);
      else pushTo(changing, transformation, child);
    }
  }

  private groupOf(nodes: readonly number[]): number {
    const text = nodes.join();
    const known = this.groupNumbers.get(text);
    if (known !== undefined) return known;
    const group = this.groups.push(nodes) - 1;
    this.groupNumbers.set(text, group);
    return group;
  }
}

/** Values kept of one generation. */
const MAX_KNOWN = 4096;
/** Bytes of the longest that is kept. */
const MAX_KNOWN_LENGTH = 256;

/**
 * What was found in values, so that they need not be looked at again: two generations, of which the older goes when the younger is
 * full. For values that say nothing of a person: names, and fields that tell what a client is.
 */
export class KnownValues {
  private young = new Map<Bytes, Scan | null>();
  private old = new Map<Bytes, Scan | null>();

  /** @returns null where nothing was found; undefined where the value is not known. */
  get(value: Bytes): Scan | null | undefined {
    const known = this.young.get(value);
    return known === undefined && this.old.size > 0 ? this.old.get(value) : known;
  }

  add(value: Bytes, scan: Scan | null): void {
    if (value.length > MAX_KNOWN_LENGTH) return;
    if (this.young.size >= MAX_KNOWN) {
      this.old = this.young;
      this.young = new Map();
    }
    // A slice would keep the whole request it was cut from.
    this.young.set(Buffer.from(value, 'latin1').toString('latin1'), scan);
  }
}

function pushTo<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
