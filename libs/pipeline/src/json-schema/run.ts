import type { Violation } from '@sallyport/contracts';
import { writePointer } from '../json/pointer';

/** Violations that are told; the first ones say what is wrong, and more would be written by whoever sends the document. */
const MAX_VIOLATIONS = 20;
/** Schemas within schemas at one place of the document: a reference that leads back to itself ends here. */
const MAX_DEPTH = 1024;
/** Keywords looked at for one document. */
const MAX_STEPS = 1_000_000;
/** A pointer is made of the caller's own names, which may be long. */
const MAX_POINTER = 512;

/** The document costs more to check than any honest one. */
export class TooMuchToCheck extends Error {}

/** One document while it is checked. */
export class Run {
  readonly violations: Violation[] = [];
  readonly path: (string | number)[] = [];
  /** Above zero: a branch is tried, and what it finds is told to nobody. */
  trying = 0;
  private steps = 0;
  private depth = 0;

  /** Whether nothing more can be told: then the rest need not be looked at. */
  get isFull(): boolean {
    return this.violations.length >= MAX_VIOLATIONS;
  }

  enter(): void {
    this.depth += 1;
    this.steps += 1;
    if (this.depth > MAX_DEPTH || this.steps > MAX_STEPS) throw new TooMuchToCheck();
  }

  leave(): void {
    this.depth -= 1;
  }

  /** Counts work that grows with the document and not with the schema. */
  spend(steps: number): void {
    this.steps += steps;
    if (this.steps > MAX_STEPS) throw new TooMuchToCheck();
  }

  /** @returns false, as a keyword does that is not met. */
  report(code: string, detail: string): false {
    if (this.trying === 0 && !this.isFull) this.violations.push({ pointer: this.pointer(), code, detail });
    return false;
  }

  /** As report, for a member of the present object. */
  reportAt(name: string, code: string, detail: string): false {
    this.path.push(name);
    this.report(code, detail);
    this.path.pop();
    return false;
  }

  private pointer(): string {
    for (let parts = this.path.length; parts > 0; parts--) {
      const pointer = writePointer(this.path.slice(0, parts));
      if (pointer.length <= MAX_POINTER) return pointer;
    }
    return '';
  }
}

/** What of an object or array was looked at by a keyword that met it: `unevaluated…` is about the rest. */
export class Seen {
  allMembers = false;
  allItems = false;
  readonly members = new Set<string>();
  /** Items from the first on. */
  items = 0;
  readonly singleItems = new Set<number>();

  take(other: Seen): void {
    this.allMembers ||= other.allMembers;
    this.allItems ||= other.allItems;
    this.items = Math.max(this.items, other.items);
    for (const member of other.members) this.members.add(member);
    for (const item of other.singleItems) this.singleItems.add(item);
  }
}

/** A compiled keyword or schema. @returns whether the value meets it. */
export type Check = (value: unknown, run: Run, seen: Seen | undefined) => boolean;
