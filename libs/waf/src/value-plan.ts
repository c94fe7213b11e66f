import { setBit } from './bit-set';
import { ANY_BYTES, type ByteGroups } from './byte-groups';
import { copyOf, type Bytes } from './bytes';
import type { PatternSet, Wanted } from './regex/pattern-set';
import type { TransformTrie } from './transform-trie';
import type { Transformation } from './transformations/transformation';
import type { Scan } from './value-scanner';

/** One thing that is looked for: a pattern in the form that a node of the trie makes of a value. */
export interface Want {
  readonly node: number;
  readonly bit: number;
  /** Bytes of the shortest value the pattern can be in. */
  readonly least: number;
  /** Groups of bytes: a value that is without the bytes of any one of them does not have the pattern. */
  readonly needs: readonly number[];
}

/** What is to be done with one form of a value. */
export interface Stage {
  /** The patterns looked for in it: those of every node that leaves it as it is; undefined: none. */
  readonly wanted: Wanted | undefined;
  /** Bytes a form must have for any of them to be in it. */
  readonly least: number;
  /** Transformations that may change it, each with the number of the nodes it leads to. */
  readonly branches: readonly Branch[];
}

export interface Branch {
  readonly transformation: Transformation;
  readonly group: number;
  /** Bytes a form must have for anything wanted to be in what is made of it. */
  readonly least: number;
}

/** What a transformation leads to while a stage is made. */
interface Change {
  readonly nodes: number[];
  least: number;
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
  /** By node: groups of bytes without which its transformation leaves a value as it is, and of those it may bring in. */
  private readonly triggers: (number | undefined)[] = [];
  private readonly additions: number[] = [];
  /** By node: groups of bytes with which its transformation may bring in any. */
  private readonly escapes: number[] = [];
  /** By node: groups of bytes that leave nothing of a value, and those with which it is not known. */
  private readonly emptiers: number[] = [];
  private readonly sparers: number[] = [];
  private readonly groups: (readonly number[])[] = [[0]];
  private readonly groupNumbers = new Map<string, number>([['0', ROOT_GROUP]]);
  /** By group: the groups of bytes that make a difference to it. */
  private readonly toldApart: number[];
  private stages: Map<number, Stage>[] = [];
  private stageCount = 0;
  /** Ascending, so that parents come before children; the root is none of them. */
  readonly nodes: readonly number[];

  /** @param patterns those that what is wanted is of */
  constructor(
    wants: readonly Want[],
    private readonly trie: TransformTrie,
    groupsOfBytes: ByteGroups,
    private readonly patterns: PatternSet,
    /** Set where values are such as may be kept. */
    readonly known: KnownValues | undefined = undefined,
  ) {
    const needed = new Set(wants.flatMap(({ node }) => trie.pathTo(node)));
    needed.delete(0);
    this.nodes = [...needed].sort((one, other) => one - other);
    for (const node of this.nodes) {
      pushTo(this.children, trie.parentOf(node), node);
      const { trigger, adds, escapes, emptiedBy } = trie.transformationOf(node);
      this.triggers[node] = trigger && groupsOfBytes.ofSet(trigger);
      this.additions[node] = adds ? groupsOfBytes.ofSet(adds) : ANY_BYTES;
      this.escapes[node] = escapes ? groupsOfBytes.ofSet(escapes) : 0;
      this.emptiers[node] = emptiedBy ? groupsOfBytes.within(emptiedBy.bytes) : 0;
      this.sparers[node] = emptiedBy ? groupsOfBytes.ofSet(emptiedBy.unless) : 0;
    }
    for (const want of wants) pushTo(this.wants, want.node, want);
    this.toldApart = [this.bytesAskedBy(0)];
  }

  /** @param bytes groups of the bytes of the form that the nodes of the group have made */
  stage(group: number, bytes: number): Stage {
    const told = bytes & this.toldApart[group]!;
    return this.stages[group]?.get(told) ?? this.makeStage(group, told);
  }

  private makeStage(group: number, bytes: number): Stage {
    if (++this.stageCount > MAX_STAGES) {
      this.stages = [];
      this.stageCount = 0;
    }
    const wants: Want[] = [];
    const changing = new Map<Transformation, Change>();
    for (const node of this.groups[group]!) this.follow(node, bytes, wants, changing);
    const row = new Uint32Array(this.patterns.words);
    for (const { bit } of wants) setBit(row, bit);
    const wanted = wants.length > 0 ? this.patterns.wanted(row) : undefined;
    const least = wants.reduce((smallest, want) => Math.min(smallest, want.least), Infinity);
    const branches = [...changing].map(([transformation, { nodes, least: leastOfBranch }]) => ({
      transformation,
      group: this.groupOf(nodes),
      least: leastOfBranch,
    }));
    const stage: Stage = { wanted, least, branches };
    (this.stages[group] ??= new Map()).set(bytes, stage);
    return stage;
  }

  /** Gathers what is wanted of a form at a node and at those below that leave it as it is. */
  private follow(node: number, bytes: number, wants: Want[], changing: Map<Transformation, Change>): void {
    for (const want of this.wants.get(node) ?? []) if (canBeIn(bytes, want)) wants.push(want);
    for (const child of this.children.get(node) ?? []) {
      const trigger = this.triggers[child];
      if (trigger !== undefined && (bytes & trigger) === 0) {
        this.follow(child, bytes, wants, changing);
        continue;
      }
      const least = this.leastBehind(child, bytes);
      if (least === Infinity || (least > 0 && this.isEmptied(child, bytes))) continue;
      const transformation = this.trie.transformationOf(child);
      const change = changing.get(transformation);
      if (!change) changing.set(transformation, { nodes: [child], least });
      else {
        change.nodes.push(child);
        change.least = Math.min(change.least, least);
      }
    }
  }

  /** @param bytes groups of the bytes of a value, no more than it has */
  private isEmptied(node: number, bytes: number): boolean {
    return (bytes & this.emptiers[node]!) !== 0 && (bytes & this.sparers[node]!) === 0;
  }

  /** @returns bytes a value must have for anything wanted to be in what a node and those below make of it */
  private leastBehind(node: number, before: number): number {
    const bytes = (before & this.escapes[node]!) === 0 ? before | this.additions[node]! : ANY_BYTES;
    let least = Infinity;
    for (const want of this.wants.get(node) ?? []) if (want.least < least && canBeIn(bytes, want)) least = want.least;
    for (const child of this.children.get(node) ?? []) least = Math.min(least, this.leastBehind(child, bytes));
    if (least === Infinity) return least;
    const { perByte = Infinity, block = 1 } = this.trie.transformationOf(node);
    return Math.ceil(least / (perByte * block)) * block;
  }

  private groupOf(nodes: readonly number[]): number {
    const text = nodes.join();
    const known = this.groupNumbers.get(text);
    if (known !== undefined) return known;
    const group = this.groups.push(nodes) - 1;
    this.groupNumbers.set(text, group);
    this.toldApart.push(nodes.reduce((bytes, node) => bytes | this.bytesAskedBy(node), 0));
    return group;
  }

  /** @returns groups of bytes by which a node and those below tell forms apart */
  private bytesAskedBy(node: number): number {
    let bytes = 0;
    for (const { needs } of this.wants.get(node) ?? []) for (const need of needs) bytes |= need;
    for (const child of this.children.get(node) ?? []) {
      bytes |= (this.triggers[child] ?? 0) | this.escapes[child]!;
      bytes |= this.emptiers[child]! | this.sparers[child]! | this.bytesAskedBy(child);
    }
    return bytes;
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
    this.young.set(copyOf(value), scan);
  }
}

function canBeIn(bytes: number, { needs }: Want): boolean {
  for (const need of needs) if ((bytes & need) === 0) return false;
  return true;
}

function pushTo<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
