import type { Bytes } from '../bytes';
import { lookBits } from './lookaround';
import type { Captures } from './pattern';
import { capturesOf } from './pike';
import { isPlace } from './place';
import { isFollowed, Step, type LookProgram, type Program } from './program';

/** Steps for each byte of the text, after which a search gives up. */
const STEPS_PER_BYTE = 64;
/** Steps any search may take. */
const LEAST_STEPS = 65_536;

/** What is left to be tried, as three numbers each: a node and a place, or a slot and what it held. */
const TRY = 0;
const RESTORE_SLOT = 1;
const RESTORE_MARK = 2;
const ENTRY = 3;
/** Slots for where the whole match begins and ends. */
const SLOTS_OF_WHOLE = 2;
/** Numbers a stack has room for at first. */
const FIRST_ROOM = 96;

/** The search took more steps than it may. */
class GivesUp extends Error {}

/**
 * Tries one way after the other, as PCRE does: for patterns that refer to their groups or hold atomic parts, which no automaton
 * answers. It takes so many steps and no more.
 */
export class Backtracker {
  private left = 0;

  constructor(private readonly program: Program) {}

  /** @returns undefined where there is no match, `gives-up` where the steps did not suffice to tell */
  exec(value: Bytes): Captures | 'gives-up' | undefined {
    this.left = Math.max(LEAST_STEPS, STEPS_PER_BYTE * value.length);
    const run = new Run(this.program, value, new Int32Array(this.program.slots), () => --this.left < 0);
    try {
      for (let at = 0; at <= value.length; at++) {
        run.slots.fill(-1);
        const end = run.match(this.program.start, at);
        if (end === undefined) continue;
        run.slots[0] = at;
        run.slots[1] = end;
        return capturesOf(value, run.slots);
      }
    } catch (error) {
      if (error instanceof GivesUp) return 'gives-up';
      throw error;
    }
    return undefined;
  }
}

class Run {
  private readonly marks: Int32Array;
  private readonly looks: readonly Uint8Array[];
  /** What is left to be tried, of the part that is tried and, below it, of those around it. */
  private stack = new Int32Array(FIRST_ROOM);
  private depth = 0;

  constructor(
    private readonly program: Program,
    private readonly value: Bytes,
    readonly slots: Int32Array,
    private readonly isSpent: () => boolean,
  ) {
    this.marks = new Int32Array(program.marks).fill(-1);
    this.looks = lookBits(program, value);
  }

  /**
   * @param mustEnd where a match has to end; anywhere when undefined
   * @returns where the match ends; the slots are as they were when there is none
   */
  match(start: number, from: number, mustEnd?: number): number | undefined {
    const { steps, details, outs, others } = this.program;
    const { marks, slots } = this;
    const bottom = this.depth;
    this.push(TRY, start, from);
    while (this.depth > bottom) {
      this.depth -= ENTRY;
      const entry = this.stack[this.depth]!;
      let node = this.stack[this.depth + 1]!;
      let at = this.stack[this.depth + 2]!;
      if (entry === RESTORE_SLOT) slots[node] = at;
      else if (entry === RESTORE_MARK) marks[node] = at;
      if (entry !== TRY) continue;
      while (node >= 0) {
        if (this.isSpent()) throw new GivesUp();
        switch (steps[node]! as Step) {
          case Step.Match:
            if (mustEnd === undefined || at === mustEnd) {
              this.depth = bottom;
              return at;
            }
            node = -1;
            break;
          case Step.Split:
            this.push(TRY, others[node]!, at);
            node = outs[node]!;
            break;
          case Step.Save: {
            const slot = details[node]!;
            this.push(RESTORE_SLOT, slot, slots[slot]!);
            slots[slot] = at;
            node = outs[node]!;
            break;
          }
          case Step.Mark: {
            const mark = details[node]!;
            this.push(RESTORE_MARK, mark, marks[mark]!);
            marks[mark] = at;
            node = outs[node]!;
            break;
          }
          case Step.Progress:
            node = marks[details[node]!] === at ? others[node]! : outs[node]!;
            break;
          default: {
            const end = this.simple(node, at);
            node = end < 0 ? -1 : outs[node]!;
            at = end;
          }
        }
      }
    }
    return undefined;
  }

  private push(entry: number, node: number, at: number): void {
    if (this.depth + ENTRY > this.stack.length) {
      const larger = new Int32Array(this.stack.length * 2);
      larger.set(this.stack);
      this.stack = larger;
    }
    this.stack[this.depth] = entry;
    this.stack[this.depth + 1] = node;
    this.stack[this.depth + 2] = at;
    this.depth += ENTRY;
  }

  /** What has one way to go on. @returns where it ends, -1 where it does not hold */
  private simple(node: number, at: number): number {
    const { steps, details, others } = this.program;
    const detail = details[node]!;
    switch (steps[node]! as Step) {
      case Step.Bytes:
        return isFollowed(this.program, node, this.value, at) ? at + 1 : -1;
      case Step.Unfollowed:
        return isFollowed(this.program, node, this.value, at) ? -1 : at;
      case Step.Place:
        return isPlace(detail, this.value, at) ? at : -1;
      case Step.Reference:
        return this.reference(detail, this.program.folds[node] === 1, at);
      case Step.Atomic:
        return this.keepSlots(() => this.match(others[node]!, at)) ?? -1;
      default:
        return this.look(detail, at) ? at : -1;
    }
  }

  /** What a group that took part took; PCRE fails a reference to one that did not. */
  private reference(group: number, folded: boolean, at: number): number {
    const [from, to] = [this.slots[group * 2]!, this.slots[group * 2 + 1]!];
    if (from < 0 || to < 0) return -1;
    const end = at + to - from;
    const [text, found] = [this.value.slice(from, to), this.value.slice(at, end)];
    return text === found || (folded && foldText(text) === foldText(found)) ? end : -1;
  }

  private look(number: number, at: number): boolean {
    const look = this.program.looks[number]!;
    if (!look.entangled) return this.looks[number]![at] === 1;
    const { negative } = look.syntax;
    const saved = this.slots.slice();
    const holds = this.keepSlots(() => this.tryLook(look, at)) !== undefined;
    if (negative) this.slots.set(saved);
    return holds !== negative;
  }

  private tryLook({ syntax, program }: LookProgram, at: number): number | undefined {
    const inner = new Run(program, this.value, this.slots, this.isSpent);
    if (!syntax.behind) return inner.match(program.start, at);
    for (let from = at; from >= 0; from--) {
      if (inner.match(program.start, from, at) !== undefined) return at;
    }
    return undefined;
  }

  /** Has the slots a part sets put back when the way through it fails later. */
  private keepSlots(part: () => number | undefined): number | undefined {
    // Where there are no groups, no part sets a slot.
    if (this.slots.length === SLOTS_OF_WHOLE) return part();
    const saved = this.slots.slice();
    const end = part();
    if (end === undefined) return undefined;
    for (let slot = 0; slot < saved.length; slot++) {
      if (saved[slot] !== this.slots[slot]) this.push(RESTORE_SLOT, slot, saved[slot]!);
    }
    return end;
  }
}

function foldText(text: Bytes): Bytes {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
