import type { Bytes } from '../bytes';
import { isPlace } from './place';
import { isFollowed, Step, type LookProgram, type Program } from './program';

/** By lookaround of a program and place: 1 where it holds. Empty for those that must be tried at each place. */
export function lookBits(program: Program, value: Bytes): readonly Uint8Array[] {
  return program.looks.map((look) => (look.entangled ? new Uint8Array(0) : bitsOf(look, value)));
}

/**
 * One pass: forward for what lies behind, backward with the reversed automaton for what lies ahead. At each place the body may
 * begin, and where its automaton arrives at its end, it matches up to there.
 */
function bitsOf({ syntax, program }: LookProgram, value: Bytes): Uint8Array {
  const { behind, negative } = syntax;
  const inner = lookBits(program, value);
  const bits = new Uint8Array(value.length + 1);
  let current = new NodeSet(program, value, inner);
  let next = new NodeSet(program, value, inner);
  const { length } = value;
  for (let step = 0; step <= length; step++) {
    const at = behind ? step : length - step;
    current.add(program.start, at);
    if (current.matches !== negative) bits[at] = 1;
    if (step === length) break;
    next.clear();
    current.follow(next, value.charCodeAt(behind ? at : at - 1) & 0xff, behind ? at + 1 : at - 1);
    [current, next] = [next, current];
  }
  return bits;
}

/** Nodes at one place of a text. */
class NodeSet {
  matches = false;
  private readonly nodes: number[] = [];
  private readonly seen: Uint32Array;
  private generation = 1;

  constructor(
    private readonly program: Program,
    private readonly value: Bytes,
    private readonly looks: readonly Uint8Array[],
  ) {
    this.seen = new Uint32Array(program.size);
  }

  clear(): void {
    this.nodes.length = 0;
    this.matches = false;
    this.generation++;
  }

  add(start: number, at: number): void {
    const { steps, details, outs, others } = this.program;
    const stack = [start];
    while (stack.length > 0) {
      const node = stack.pop()!;
      if (this.seen[node] === this.generation) continue;
      this.seen[node] = this.generation;
      switch (steps[node]! as Step) {
        case Step.Bytes:
          this.nodes.push(node);
          break;
        case Step.Match:
          this.matches = true;
          break;
        case Step.Split:
        case Step.Progress:
          stack.push(others[node]!, outs[node]!);
          break;
        case Step.Place:
          if (isPlace(details[node]!, this.value, at)) stack.push(outs[node]!);
          break;
        case Step.Unfollowed:
          if (!isFollowed(this.program, node, this.value, at)) stack.push(outs[node]!);
          break;
        case Step.Look:
          if (this.looks[details[node]!]![at] === 1) stack.push(outs[node]!);
          break;
        default:
          stack.push(outs[node]!);
      }
    }
  }

  /** @param at the place after the byte */
  follow(next: NodeSet, byte: number, at: number): void {
    const { details, outs, members, classes } = this.program;
    const byteClass = classes.classOf[byte]!;
    for (const node of this.nodes) {
      if (members[details[node]! * classes.count + byteClass] === 1) next.add(outs[node]!, at);
    }
  }
}
