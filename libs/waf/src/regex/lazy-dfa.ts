import type { Bytes } from '../bytes';
import { Place } from './ast';
import { NEWLINE, wordBytes } from './byte-classes';
import { Step, type Program } from './program';
import { resultOf } from './steps';

/** What was before a place, as far as a pattern asks. */
const enum Before {
  Start,
  Newline,
  Word,
  Other,
}

const ASKS_START = 1;
const ASKS_LINE = 2;
const ASKS_WORD = 4;

const asks: Readonly<Record<Place, number>> = {
  [Place.TextStart]: ASKS_START,
  [Place.LineStart]: ASKS_START | ASKS_LINE,
  [Place.TextEnd]: 0,
  [Place.FinalEnd]: 0,
  [Place.LineEnd]: 0,
  [Place.WordBoundary]: ASKS_WORD,
  [Place.NoWordBoundary]: ASKS_WORD,
};

const none = new Int32Array(0);
/** Says of a set of nodes that a match is among them. */
const matched = new Int32Array(0);

/** States of one automaton, at most. */
const MOST_STATES = 8192;
/** Bytes of the states of one automaton, at most. */
const MOST_BYTES = 4 * 1024 * 1024;
/** What a state takes beside its row and its nodes, about. */
const STATE_BYTES = 120;
/** Times that states are thrown away under one search; from then on it goes on without a cache. */
const FLUSHES = 2;

/** Bytes of a text that are read between two places at which others may have their turn, while states are looked into. */
const START_STEP = 2048;

/** What automata share: how much memory all of them may take, and the room in which states are made. */
export class StatePool {
  private readonly members = new Set<LazyDfa>();
  private bytes = 0;
  private clock = 0;
  /** Times that an automaton has thrown its states away. */
  flushes = 0;

  /** @param limit bytes for the states of all automata */
  constructor(private readonly limit: number) {}

  get size(): number {
    return this.bytes;
  }

  /** States that are held now. */
  get states(): number {
    let sum = 0;
    for (const member of this.members) sum += member.states;
    return sum;
  }

  /** @returns a number that grows with each use, so that the least recently used is known */
  tick(): number {
    return ++this.clock;
  }

  /** Takes note of memory an automaton took or gave back; those that were not used for long give theirs back. */
  account(dfa: LazyDfa, bytes: number): void {
    this.bytes += bytes;
    // One that gives back is not asked to make room for others: they are being flushed one after the other already.
    if (bytes <= 0) return;
    this.members.add(dfa);
    if (this.bytes <= this.limit) return;
    const oldest = [...this.members].filter((member) => member !== dfa).sort((one, other) => one.used - other.used);
    for (const member of oldest) {
      if (this.bytes <= this.limit * 0.75) return;
      member.flush();
      this.members.delete(member);
    }
  }
}

/** Patterns that are compiled for themselves share these 24 MiB. */
const commonPool = new StatePool(24 * 1024 * 1024);

/** What the automata of this thread hold, and how often one has thrown away what it held. */
export function automata(): Pick<StatePool, 'states' | 'flushes'> {
  return commonPool;
}

/** How far a search in one text has come, so that it can go on later: in the next slice, or with the next chunk. */
export class Search {
  begun = false;
  found = false;
  /** Whether it is decided: found, or can never be. */
  done = false;
  /** Row of the state while its automaton is in this epoch; 0: none. */
  row = 0;
  epoch = 0;
  /** The state, for when its row is gone. */
  nodes: Int32Array = none;
  before: Before = Before.Start;
  flushes = 0;

  /** Begins anew. */
  reset(): void {
    this.begun = this.found = this.done = false;
    this.row = this.flushes = 0;
    this.nodes = none;
    this.before = Before.Start;
  }
}

/**
 * Tells whether a pattern matches anywhere in a text, in one pass, by a deterministic automaton that is built as far as texts
 * lead it. A state is the set of nodes that wait for a byte, without those that may begin at any place; and what was before,
 * where a place asks for it. Places are decided when the next byte is known.
 */
export class LazyDfa {
  /** Of the pool's clock, when it was last used. */
  used = 0;
  /** Grows with each flush: rows of an earlier epoch mean nothing. */
  private epoch = 0;
  /** By row and symbol: the next row, 0 where it is not known yet. */
  private table = new Int32Array(0);
  /** By state; the row of a state is its number times `symbols`. */
  private readonly nodeSets: Int32Array[] = [];
  private readonly befores: Before[] = [];
  private readonly byHash = new Map<number, number[]>();
  private initial = 0;
  private accounted = 0;
  private nodeBytes = 0;

  private readonly classOf: Uint8Array;
  private readonly symbols: number;
  /** The last byte when it is a line feed, where the pattern tells it from others. */
  private readonly finalNewline: number | undefined;
  private readonly endOfText: number;
  private readonly deadRow: number;
  private readonly foundRow: number;
  private readonly beforeOf: Uint8Array;
  private readonly startClosure: Int32Array;
  private readonly startAsks: number;
  private readonly startsLater: boolean;
  /** By what was before and symbol: the nodes after it of matches that begin before it. */
  private readonly startSteps: (Int32Array | undefined)[];
  private readonly closures: (Int32Array | undefined)[];
  /** The set that is being made, and by node in which generation it was met. */
  private building: number[] = [];
  private readonly added: Uint32Array;
  private readonly resolved: Uint32Array;
  private generation = 0;
  private readonly placeAsks = new Map<number, number>();
  private readonly scratch = new Search();

  constructor(
    private readonly program: Program,
    private readonly pool: StatePool = commonPool,
  ) {
    const { classOf, count } = program.classes;
    this.classOf = classOf;
    this.symbols = count + 2;
    this.finalNewline = program.places.has(Place.FinalEnd) ? count : undefined;
    this.endOfText = count + 1;
    this.deadRow = this.symbols;
    this.foundRow = this.symbols * 2;
    this.added = new Uint32Array(program.size);
    this.resolved = new Uint32Array(program.size);
    this.closures = new Array<Int32Array | undefined>(program.size);
    this.beforeOf = kindsOf(program);
    this.startClosure = this.closureOf(program.start);
    this.startAsks = this.asksOf(this.startClosure);
    this.startsLater = this.startClosure.some(
      (node) => program.steps[node] !== Step.Place || program.details[node] !== Place.TextStart,
    );
    this.startSteps = new Array<Int32Array | undefined>(this.symbols * 4);
  }

  /** States that exist now. */
  get size(): number {
    return this.nodeSets.length;
  }

  test(value: Bytes): boolean {
    const row = this.walk(value);
    if (row > 0) return row === this.foundRow;
    const search = this.scratch;
    search.reset();
    this.advance(search, value, 0, true);
    return search.found;
  }

  /**
   * @returns a place before which no match begins, as near to the first one as the states tell: whatever began before it has come to
   * nothing. Undefined where there is no match.
   */
  earliestStart(value: Bytes): number | undefined {
    return resultOf(this.earliestStartInSteps(value, Infinity));
  }

  /** As `earliestStart`, with places in between at which others may have their turn. @param step bytes between two of these */
  *earliestStartInSteps(value: Bytes, step = START_STEP): Generator<void, number | undefined, void> {
    const search = new Search();
    this.used = this.pool.tick();
    const end = value.length;
    const plain = this.finalNewline !== undefined && value.charCodeAt(end - 1) === NEWLINE ? end - 1 : end;
    let start = 0;
    let row = this.enter(search);
    for (let at = 0; !search.done; at++) {
      const nodes = row > 0 ? this.nodeSets[row / this.symbols]! : search.nodes;
      if (nodes.length === 0) start = at;
      row = this.follow(search, row, this.symbolAt(value, at, plain, end));
      if (at % step !== step - 1) continue;
      this.leave(search, row);
      yield;
      row = this.enter(search);
    }
    return search.found ? start : undefined;
  }

  /** Most texts lead through states that are there. @returns the row at the end; 0 where a transition is not known yet */
  private walk(value: Bytes): number {
    const { table, classOf, foundRow, initial } = this;
    const { length } = value;
    if (initial <= foundRow || (this.finalNewline !== undefined && value.charCodeAt(length - 1) === NEWLINE)) return 0;
    this.used = this.pool.tick();
    let row = initial;
    for (let at = 0; at < length; at++) {
      row = table[row + classOf[value.charCodeAt(at) & 0xff]!]!;
      if (row <= foundRow) return row;
    }
    return table[row + this.endOfText]!;
  }

  /**
   * Goes on with a search.
   * @param at where the bytes that were not read yet begin
   * @param last whether the text ends with the value; where a line feed at the end may count, the caller holds it back until this
   * is known
   * @param allowance new transitions after which it stops
   * @returns up to where it has read
   */
  advance(search: Search, value: Bytes, at: number, last: boolean, end = value.length, allowance = Infinity): number {
    this.used = this.pool.tick();
    const ends = last && end === value.length;
    const plain = ends && this.finalNewline !== undefined && value.charCodeAt(end - 1) === NEWLINE ? end - 1 : end;
    let position = at;
    let row = this.enter(search);
    for (let left = allowance; !search.done && left > 0; left--) {
      if (row > 0) {
        const { table, classOf, foundRow } = this;
        while (position < plain) {
          const next = table[row + classOf[value.charCodeAt(position) & 0xff]!]!;
          if (next <= foundRow) break;
          row = next;
          position++;
        }
      }
      if (position === end && !ends) break;
      row = this.follow(search, row, this.symbolAt(value, position, plain, end));
      if (position === end) search.done = true;
      position = Math.min(position + 1, end);
    }
    this.leave(search, row);
    return position;
  }

  /** Begins a search in the middle of a text. @param before the byte before the first that will be read */
  beginBehind(search: Search, before: number): void {
    search.reset();
    search.begun = true;
    search.before = this.beforeOf[this.classOf[before]!]!;
  }

  /** States that are there. */
  get states(): number {
    return this.nodeSets.length;
  }

  /** Forgets all states; searches under way make theirs anew. */
  flush(): void {
    this.epoch++;
    this.pool.flushes++;
    this.table = new Int32Array(0);
    this.nodeSets.length = 0;
    this.befores.length = 0;
    this.byHash.clear();
    this.initial = 0;
    this.nodeBytes = 0;
    const { accounted } = this;
    this.accounted = 0;
    this.pool.account(this, -accounted);
  }

  private symbolAt(value: Bytes, position: number, plain: number, end: number): number {
    if (position === end) return this.endOfText;
    return position < plain ? this.classOf[value.charCodeAt(position) & 0xff]! : this.finalNewline!;
  }

  /** @returns the row to go on from, 0 where the search goes on without a cache */
  private enter(search: Search): number {
    if (search.done) return 0;
    if (search.row > 0 && search.epoch === this.epoch) return search.row;
    if (search.begun) return this.goOn(search, search.nodes, search.before);
    search.begun = true;
    if (this.initial === 0) {
      this.initial = this.startClosure.some((node) => this.program.steps[node] === Step.Match)
        ? this.foundRow
        : this.rowOf(none, Before.Start);
    }
    return this.settle(search, this.initial);
  }

  private leave(search: Search, row: number): void {
    if (search.done) return;
    search.row = row;
    search.epoch = this.epoch;
    if (row === 0) return;
    search.nodes = this.nodeSets[row / this.symbols]!;
    search.before = this.befores[row / this.symbols]!;
  }

  private settle(search: Search, row: number): number {
    if (row > this.foundRow) return row;
    search.found = row === this.foundRow;
    search.done = true;
    return 0;
  }

  /** Takes a symbol by a transition that may not be known yet. */
  private follow(search: Search, row: number, symbol: number): number {
    const known = row > 0 ? this.table[row + symbol]! : 0;
    if (known > 0) return this.settle(search, known);
    const nodes = row > 0 ? this.nodeSets[row / this.symbols]! : search.nodes;
    const before = row > 0 ? this.befores[row / this.symbols]! : search.before;
    const set = this.successor(nodes, before, symbol);
    const { epoch } = this;
    let next: number;
    if (set === matched) next = this.settle(search, this.foundRow);
    else if (symbol === this.endOfText) next = this.settle(search, this.deadRow);
    else next = this.goOn(search, set, this.beforeOf[symbol]!);
    if (row > 0 && this.epoch === epoch) {
      this.table[row + symbol] = search.done ? (search.found ? this.foundRow : this.deadRow) : next;
    }
    return next;
  }

  private goOn(search: Search, nodes: Int32Array, before: Before): number {
    if (nodes.length === 0 && !this.startsLater && before !== Before.Start) return this.settle(search, this.deadRow);
    if (search.flushes < FLUSHES) {
      const { epoch } = this;
      const row = this.rowOf(nodes, before);
      if (epoch !== this.epoch) search.flushes++;
      return row;
    }
    search.nodes = nodes;
    search.before = before;
    return 0;
  }

  /** @returns the row of a state, which is made where there is none */
  private rowOf(nodes: Int32Array, exactBefore: Before): number {
    const before = reduced(exactBefore, this.startAsks | this.asksOf(nodes));
    const hash = hashOf(nodes, before);
    for (const state of this.byHash.get(hash) ?? []) {
      if (this.befores[state] === before && sameNodes(this.nodeSets[state]!, nodes)) return state * this.symbols;
    }
    if (this.nodeSets.length >= MOST_STATES || this.accounted + this.nodeBytes > MOST_BYTES) this.flush();
    if (this.nodeSets.length === 0) for (let reserved = 0; reserved < 3; reserved++) this.addState(none, Before.Other);
    const state = this.addState(nodes, before);
    const others = this.byHash.get(hash);
    if (others) others.push(state);
    else this.byHash.set(hash, [state]);
    return state * this.symbols;
  }

  private addState(nodes: Int32Array, before: Before): number {
    const state = this.nodeSets.push(nodes) - 1;
    this.befores.push(before);
    this.nodeBytes += nodes.length * 4 + STATE_BYTES;
    if ((state + 1) * this.symbols > this.table.length) this.grow();
    return state;
  }

  private grow(): void {
    const table = new Int32Array(Math.max(8 * this.symbols, this.table.length * 2));
    table.set(this.table);
    this.table = table;
    const bytes = table.length * 4 + this.nodeBytes;
    const more = bytes - this.accounted;
    this.accounted = bytes;
    this.pool.account(this, more);
  }

  /** @returns the nodes after a symbol, in the order of their numbers; `matched` where a match is among them */
  private successor(nodes: Int32Array, before: Before, symbol: number): Int32Array {
    const key = before * this.symbols + symbol;
    const started = (this.startSteps[key] ??= this.step(this.startClosure, before, symbol, none));
    if (started === matched) return matched;
    return nodes.length === 0 ? started : this.step(nodes, before, symbol, started);
  }

  /** @param base nodes that are in the set whatever the others lead to */
  private step(nodes: Int32Array, before: Before, symbol: number, base: Int32Array): Int32Array {
    const generation = ++this.generation;
    const { added } = this;
    const building: number[] = (this.building = []);
    for (let index = 0; index < base.length; index++) {
      added[base[index]!] = generation;
      building.push(base[index]!);
    }
    if (!this.resolve(nodes, before, symbol)) return matched;
    return ordered(building);
  }

  /** Adds what nodes lead to. @returns false when a match is reached */
  private resolve(nodes: Int32Array, before: Before, symbol: number): boolean {
    const { resolved, generation } = this;
    const { steps, details, outs, members, classes } = this.program;
    const byteClass = symbol === this.finalNewline ? this.classOf[NEWLINE]! : symbol;
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index]!;
      if (resolved[node] === generation) continue;
      resolved[node] = generation;
      const step = steps[node]!;
      if (step === Step.Match) return false;
      const isNext =
        step !== Step.Place && symbol !== this.endOfText && members[details[node]! * classes.count + byteClass] === 1;
      if (step === Step.Bytes) {
        if (isNext && !this.addClosure(outs[node]!)) return false;
      } else if (step === Step.Unfollowed ? !isNext : this.isAt(details[node]!, before, symbol)) {
        if (!this.resolve(this.closureOf(outs[node]!), before, symbol)) return false;
      }
    }
    return true;
  }

  private addClosure(start: number): boolean {
    const { added, generation, building } = this;
    const { steps } = this.program;
    const closure = this.closureOf(start);
    for (let index = 0; index < closure.length; index++) {
      const node = closure[index]!;
      if (added[node] === generation) continue;
      if (steps[node] === Step.Match) return false;
      added[node] = generation;
      building.push(node);
    }
    return true;
  }

  /** @returns the nodes that can be reached without taking a byte or deciding a place */
  private closureOf(start: number): Int32Array {
    return (this.closures[start] ??= closureOf(this.program, start));
  }

  private asksOf(nodes: Int32Array): number {
    const { steps, details } = this.program;
    if (this.program.places.size === 0) return 0;
    let asked = 0;
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index]!;
      if (steps[node] === Step.Place) asked |= this.asksBehind(node, asks[details[node]! as Place]);
      else if (steps[node] === Step.Unfollowed) asked |= this.asksBehind(node, 0);
    }
    return asked;
  }

  /** A place may be followed by others before a byte is taken. */
  private asksBehind(node: number, own: number): number {
    const known = this.placeAsks.get(node);
    if (known !== undefined) return known;
    this.placeAsks.set(node, own);
    const all = own | this.asksOf(this.closureOf(this.program.outs[node]!));
    this.placeAsks.set(node, all);
    return all;
  }

  private isAt(place: Place, before: Before, symbol: number): boolean {
    const ends = symbol === this.endOfText;
    switch (place) {
      case Place.TextStart:
        return before === Before.Start;
      case Place.LineStart:
        return before === Before.Start || (before === Before.Newline && !ends);
      case Place.TextEnd:
        return ends;
      case Place.FinalEnd:
        return ends || symbol === this.finalNewline;
      case Place.LineEnd:
        return ends || this.beforeOf[symbol] === Before.Newline;
      default: {
        const differs = (before === Before.Word) !== (this.beforeOf[symbol] === Before.Word);
        return differs === (place === Place.WordBoundary);
      }
    }
  }
}

/** By symbol: what it is for the place after it. */
function kindsOf({ classes }: Program): Uint8Array {
  const kinds = new Uint8Array(classes.count + 2).fill(Before.Other);
  for (let byte = 0; byte < 256; byte++) if (wordBytes.has(byte)) kinds[classes.classOf[byte]!] = Before.Word;
  kinds[classes.classOf[NEWLINE]!] = Before.Newline;
  kinds[classes.count] = Before.Newline;
  return kinds;
}

function closureOf({ steps, outs, others }: Program, start: number): Int32Array {
  const seen = new Set<number>();
  const closure: number[] = [];
  const stack = [start];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    switch (steps[node]! as Step) {
      case Step.Bytes:
      case Step.Place:
      case Step.Unfollowed:
      case Step.Match:
        closure.push(node);
        break;
      case Step.Split:
      case Step.Progress:
        stack.push(others[node]!, outs[node]!);
        break;
      default:
        stack.push(outs[node]!);
    }
  }
  return Int32Array.from(closure);
}

/** What was before, with nothing told apart that is not asked for. */
function reduced(before: Before, asked: number): Before {
  if (before === Before.Start) return (asked & ASKS_START) !== 0 ? before : Before.Other;
  if (before === Before.Newline) return (asked & ASKS_LINE) !== 0 ? before : Before.Other;
  return (asked & ASKS_WORD) !== 0 ? before : Before.Other;
}

function ordered(nodes: number[]): Int32Array {
  const set = Int32Array.from(nodes);
  if (set.length > 24) return set.sort();
  for (let index = 1; index < set.length; index++) {
    const node = set[index]!;
    let at = index;
    for (; at > 0 && set[at - 1]! > node; at--) set[at] = set[at - 1]!;
    set[at] = node;
  }
  return set;
}

function hashOf(nodes: Int32Array, before: Before): number {
  let hash = before + 0x9e3779b9;
  for (let index = 0; index < nodes.length; index++) hash = Math.imul(hash ^ nodes[index]!, 0x01000193) ^ (hash >>> 15);
  return hash;
}

function sameNodes(one: Int32Array, other: Int32Array): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}
