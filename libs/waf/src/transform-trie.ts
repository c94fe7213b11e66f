import type { ByteSet } from './bytes';
import type { Transformation } from './transformations/transformation';

const noTransformation: Partial<Transformation> = {};

/** The chains of transformations of a rule set with what they have in common shared; node 0 is the value as it is. */
export class TransformTrie {
  private readonly nodes: { readonly transformation: Transformation | undefined; readonly parent: number }[] = [
    { transformation: undefined, parent: -1 },
  ];
  private readonly children = new Map<string, number>();

  get size(): number {
    return this.nodes.length;
  }

  /** Bytes that decide what becomes of a value. */
  get sets(): ByteSet[] {
    return this.nodes.flatMap(({ transformation: { trigger, adds, escapes, emptiedBy } = noTransformation }) =>
      [trigger, adds, escapes, emptiedBy?.bytes, emptiedBy?.unless].filter((set) => set !== undefined),
    );
  }

  /** @returns the node of a chain. */
  add(chain: readonly Transformation[]): number {
    return chain.reduce((parent, transformation) => this.child(parent, transformation), 0);
  }

  transformationOf(node: number): Transformation {
    return this.nodes[node]!.transformation!;
  }

  parentOf(node: number): number {
    return this.nodes[node]!.parent;
  }

  /** The nodes from the root to this one, both among them. A parent always has a smaller number than its child. */
  pathTo(node: number): number[] {
    const path = [];
    for (let at = node; at >= 0; at = this.parentOf(at)) path.unshift(at);
    return path;
  }

  private child(parent: number, transformation: Transformation): number {
    const key = `${parent}:${transformation.name}`;
    const known = this.children.get(key);
    if (known !== undefined) return known;
    const node = this.nodes.push({ transformation, parent }) - 1;
    this.children.set(key, node);
    return node;
  }
}
