import type { Bytes } from '../bytes';
import type { Captures } from './pattern';
import { lookBits } from './lookaround';
import { isPlace } from './place';
import { isFollowed, Step, type Program } from './program';
import { resultOf } from './steps';

/** Threads of one place in the text, in the order of their priority, each with the slots of its groups. */
class Threads {
  nodes = new Int32Array(0);
  /** By node: where it stands in `nodes`, valid while that place holds it. */
  places = new Int32Array(0);
  slots = new Int32Array(0);
  count = 0;

  prepare(size: number, slots: number): void {
    if (this.nodes.length < size) {
      this.nodes = new Int32Array(size);
      this.places = new Int32Array(size);
    }
    if (this.slots.length < size * slots) this.slots = new Int32Array(size * slots);
    this.count = 0;
  }

  has(node: number): boolean {
    const place = this.places[node]!;
    return place < this.count && this.nodes[place] === node;
  }

  add(node: number): number {
    this.places[node] = this.count;
    this.nodes[this.count] = node;
    return this.count++;
  }
}

/** Where the threads of a run are: those of a place, and those of the place after it. */
interface Room {
  current: Threads;
  following: Threads;
}

// Runs that are not interrupted do not overlap, so that one room is enough for all patterns.
const common: Room = { current: new Threads(), following: new Threads() };

/** Threads followed over one byte each, between two places at which others may have their turn. */
const STEP = 16_384;

/** Restores a slot when the walk comes back to it. */
const RESTORE = -1;

/**
 * Finds the leftmost match and its groups with the priorities of PCRE, in time linear in the text: all ways at once, each way that
 * reaches a node after a better one is dropped.
 */
export class PikeMachine {
  private readonly stack: number[] = [];
  private readonly slots: Int32Array;
  private readonly firstBytes: Uint8Array | undefined;

  constructor(private readonly program: Program) {
    this.slots = new Int32Array(program.slots);
    this.firstBytes = firstBytesOf(program);
  }

  /** @param from a place before which no match begins */
  exec(value: Bytes, from = 0): Captures | undefined {
    return resultOf(this.run(value, from, common, Infinity));
  }

  /** As `exec`, with places in between at which others may have their turn. */
  execInSteps(value: Bytes, from = 0): Generator<void, Captures | undefined, void> {
    return this.run(value, from, { current: new Threads(), following: new Threads() }, STEP);
  }

  /** Nothing but the room is used beyond one byte, so that others may run this machine in between. */
  private *run(value: Bytes, from: number, room: Room, step: number): Generator<void, Captures | undefined, void> {
    const { program } = this;
    const { steps, details, outs, members, classes } = program;
    const looks = lookBits(program, value);
    room.current.prepare(program.size, program.slots);
    room.following.prepare(program.size, program.slots);
    let found: Int32Array | undefined;
    let followed = 0;
    for (let at = from; at <= value.length; at++) {
      const { current, following } = room;
      followed += current.count + 1;
      if (followed > step) {
        followed = 0;
        yield;
      }
      if (!found) {
        if (current.count === 0) at = this.nextStart(value, at);
        if (at < 0) break;
        this.slots.fill(-1);
        this.slots[0] = at;
        this.add(current, program.start, value, at, looks);
      }
      if (current.count === 0) break;
      following.count = 0;
      const byteClass = at < value.length ? classes.classOf[value.charCodeAt(at) & 0xff]! : -1;
      for (let thread = 0; thread < current.count; thread++) {
        const node = current.nodes[thread]!;
        const kind = steps[node]!;
        if (kind === Step.Match) {
          this.load(current, thread);
          found = this.slots.slice();
          found[1] = at;
          break;
        }
        if (kind !== Step.Bytes || byteClass < 0 || members[details[node]! * classes.count + byteClass] === 0) continue;
        this.load(current, thread);
        this.add(following, outs[node]!, value, at + 1, looks);
      }
      room.current = following;
      room.following = current;
    }
    return found && capturesOf(value, found);
  }

  /** @returns the next place at which a match may begin, -1 where there is none */
  private nextStart(value: Bytes, from: number): number {
    const { firstBytes } = this;
    if (!firstBytes) return from;
    let at = from;
    while (at < value.length && firstBytes[value.charCodeAt(at) & 0xff] === 0) at++;
    return at === value.length ? -1 : at;
  }

  private load(threads: Threads, thread: number): void {
    const { slots } = this;
    const from = thread * slots.length;
    for (let slot = 0; slot < slots.length; slot++) slots[slot] = threads.slots[from + slot]!;
  }

  /** Adds a node and what it leads to without a byte, in the order of priority. */
  private add(threads: Threads, start: number, value: Bytes, at: number, looks: readonly Uint8Array[]): void {
    const { steps, details, outs, others, slots: count } = this.program;
    const { stack, slots } = this;
    stack.push(start);
    while (stack.length > 0) {
      const node = stack.pop()!;
      if (node === RESTORE) {
        const slot = stack.pop()!;
        slots[slot] = stack.pop()!;
        continue;
      }
      if (threads.has(node)) continue;
      const thread = threads.add(node);
      switch (steps[node]! as Step) {
        case Step.Split:
        case Step.Progress:
          stack.push(others[node]!, outs[node]!);
          break;
        case Step.Save: {
          const slot = details[node]!;
          stack.push(slots[slot]!, slot, RESTORE, outs[node]!);
          slots[slot] = at;
          break;
        }
        case Step.Place:
          if (isPlace(details[node]!, value, at)) stack.push(outs[node]!);
          break;
        case Step.Unfollowed:
          if (!isFollowed(this.program, node, value, at)) stack.push(outs[node]!);
          break;
        case Step.Look:
          if (looks[details[node]!]![at] === 1) stack.push(outs[node]!);
          break;
        case Step.Bytes:
        case Step.Match:
          for (let slot = 0; slot < count; slot++) threads.slots[thread * count + slot] = slots[slot]!;
          break;
        default:
          stack.push(outs[node]!);
      }
    }
  }
}

/** @param slots two for each group, -1 in those that were not set */
export function capturesOf(value: Bytes, slots: Int32Array): Captures {
  const captures: (Bytes | undefined)[] = [];
  for (let slot = 0; slot < Math.min(slots.length, 20); slot += 2) {
    const [from, to] = [slots[slot]!, slots[slot + 1]!];
    captures.push(from < 0 || to < 0 ? undefined : value.slice(from, to));
  }
  return captures;
}

/** Bytes with which a match may begin; undefined where it may be empty, or a place comes first. */
function firstBytesOf({ start, steps, details, outs, others, sets }: Program): Uint8Array | undefined {
  const first = new Uint8Array(256);
  const seen = new Set<number>();
  const stack = [start];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    switch (steps[node]! as Step) {
      case Step.Bytes:
        for (let byte = 0; byte < 256; byte++) if (sets[details[node]!]!.has(byte)) first[byte] = 1;
        break;
      case Step.Split:
      case Step.Progress:
        stack.push(others[node]!, outs[node]!);
        break;
      case Step.Save:
      case Step.Mark:
        stack.push(outs[node]!);
        break;
      default:
        return undefined;
    }
  }
  return first;
}
