import type { ByteSet, Bytes } from './bytes';
import type { TransformTrie } from './transform-trie';

/** What is looked for in the values of one variable, or of some of its members. */
export interface ValuePlan {
  /** Nodes of the trie that lead to a form somebody looks at, parents before children; the root is none of them. */
  readonly nodes: Int32Array;
  /** For the root and each of `nodes`: the patterns wanted there, `words` a row. */
  readonly wanted: Uint32Array;
  /** All of them in one row: what is wanted of a value that no transformation changes. */
  readonly all: Uint32Array;
  /** Classes of bytes without which no transformation of this plan changes a value. */
  readonly triggers: number;
  /** Whether a transformation is among the nodes that may change any value. */
  readonly unconditional: boolean;
}

/** One thing that is looked for: a pattern in the form that a node of the trie makes of a value. */
export interface Want {
  readonly node: number;
  readonly bit: number;
}

/** Bytes told apart by what they trigger: a value whose bytes trigger nothing of a transformation passes it unchanged. */
export class TriggerClasses {
  private readonly classes = new Uint32Array(256);
  /** By node of the trie: its class, 0 where its transformation may change any value. */
  private readonly ofNode: Uint32Array;

  constructor(trie: TransformTrie) {
    this.ofNode = new Uint32Array(trie.size);
    const known: ByteSet[] = [];
    for (let node = 1; node < trie.size; node++) {
      const { trigger } = trie.transformationOf(node);
      if (trigger) this.ofNode[node] = this.classOf(trigger, known);
    }
  }

  /** Classes of the bytes of a value, or'ed. */
  of(value: Bytes): number {
    const { classes } = this;
    let found = 0;
    for (let at = 0; at < value.length; at++) found |= classes[value.charCodeAt(at) & 0xff]!;
    return found;
  }

  triggerOf(node: number): number {
    return this.ofNode[node]!;
  }

  /** Beyond 32 different sets a transformation is simply run. */
  private classOf(trigger: ByteSet, known: ByteSet[]): number {
    let index = known.findIndex((other) => sameBytes(other, trigger));
    if (index < 0) {
      if (known.length === 32) return 0;
      index = known.push(trigger) - 1;
      for (let byte = 0; byte < 256; byte++) if (trigger.has(byte)) this.classes[byte]! |= 1 << index;
    }
    return (1 << index) >>> 0;
  }
}

function sameBytes(one: ByteSet, other: ByteSet): boolean {
  for (let byte = 0; byte < 256; byte++) if (one.has(byte) !== other.has(byte)) return false;
  return true;
}

/** @param words 32-bit words of a row of patterns */
export function planValues(
  wants: readonly Want[],
  trie: TransformTrie,
  triggers: TriggerClasses,
  words: number,
): ValuePlan {
  const needed = new Set(wants.flatMap(({ node }) => trie.pathTo(node)));
  needed.delete(0);
  const nodes = Int32Array.from([...needed].sort((one, other) => one - other));
  const wanted = new Uint32Array((nodes.length + 1) * words);
  const all = new Uint32Array(words);
  for (const { node, bit } of wants) {
    const row = node === 0 ? 0 : nodes.indexOf(node) + 1;
    wanted[row * words + (bit >>> 5)]! |= 1 << (bit & 31);
    all[bit >>> 5]! |= 1 << (bit & 31);
  }
  const classes = [...nodes].map((node) => triggers.triggerOf(node));
  return {
    nodes,
    wanted,
    all,
    triggers: classes.reduce((sum, each) => sum | each, 0),
    unconditional: classes.includes(0),
  };
}
