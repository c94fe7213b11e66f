import { auditV1 } from '@sallyport/contracts';
import { FakeDisk, FakeProcesses, FakeScheduler, turns } from '@sallyport/testkit';
import { adoptOrphans, type Orphanage } from './orphans';
import { startShipper, type Shipper } from './shipper';
import { Spool } from './spool';
import { control, plain } from './spool-under-test';
import type { SpoolNote } from './spool-notes';

const STEP_MS = 250;
/** Of a long time, in which little happens. */
const LONG_STEP_MS = 1_000;

/** Where a process stands still: between two calls to its file system, before or after what the next one does. */
class Gate {
  #open: Promise<void> = Promise.resolve();
  #thaw = (): void => {};
  #callsLeft = Infinity;
  #isShutAfter = false;
  isShut = false;

  shut(): void {
    if (this.isShut) return;
    this.isShut = true;
    this.#callsLeft = Infinity;
    this.#open = new Promise((resolve) => (this.#thaw = resolve));
  }

  /** Shuts when so many more calls were made. @param after what the last of them does has come to pass */
  shutWithin(calls: number, after: boolean): void {
    this.#callsLeft = calls;
    this.#isShutAfter = after;
  }

  open(): void {
    this.isShut = false;
    this.#callsLeft = Infinity;
    this.#thaw();
  }

  async pass<Value>(call: () => Promise<Value>): Promise<Value> {
    const isLast = --this.#callsLeft === 0;
    if (isLast && !this.#isShutAfter) this.shut();
    await this.#open;
    const done = call();
    if (isLast && this.#isShutAfter) this.shut();
    const value = await done;
    await this.#open;
    return value;
  }
}

function gated<T extends object>(target: T, gate: Gate): T {
  return new Proxy(target, {
    get(object, name, receiver) {
      const member: unknown = Reflect.get(object, name, receiver);
      if (typeof member !== 'function') return member;
      return async (...values: unknown[]) => {
        const value: unknown = await gate.pass(() =>
          (member as (...of: unknown[]) => Promise<unknown>).apply(object, values),
        );
        return typeof value === 'object' && value !== null && 'sync' in value ? gated(value, gate) : value;
      };
    },
  });
}

/** A process with a spool, on a host of its own. */
export interface Host {
  readonly spool: Spool;
  readonly gate: Gate;
  readonly notes: SpoolNote[];
  /** Writes a record down and remembers it once it is said to be written. */
  append(uid: string): void;
  /** Lets nothing of the process run, and its clock neither when it is the machine that stands still. */
  freeze(withClock?: boolean): void;
  thaw(): Promise<void>;
  /** Ends the process as soon as it has said of one more record that it is written. */
  doom(): void;
}

/** Hosts that share a file system and a consumer, which places records as the audit service does. */
export class Hosts {
  readonly disk = new FakeDisk();
  /** Uids of records that were said to be written. */
  readonly acknowledged = new Set<string>();
  readonly stored: string[] = [];
  readonly #bodies = new Map<string, string>();
  readonly #next = new Map<string, number>();
  readonly contradictions: string[] = [];
  readonly #highest = new Map<string, number>();
  isBusDown = false;
  time = 1_795_450_000_000;
  #seed = 0;
  #pid = 0;
  readonly #all: Member[] = [];

  constructor() {
    this.disk.now = this.time;
  }

  async open(): Promise<Host> {
    const member = await Member.open(this, ++this.#pid);
    this.#all.push(member);
    return member;
  }

  random = (count: number): Buffer => Buffer.alloc(count, ++this.#seed);

  async pass(milliseconds: number): Promise<void> {
    const step = milliseconds > 5_000 ? LONG_STEP_MS : STEP_MS;
    for (let left = milliseconds; left > 0; left -= step) {
      this.time += step;
      this.disk.now = this.time;
      for (const member of this.#all) await member.live(step);
    }
    await turns();
  }

  async publish(bytes: Uint8Array): Promise<void> {
    if (this.isBusDown) throw new Error('no bus');
    const { chain, firstSeq, bodies } = auditV1.Batch.decode(bytes);
    for (const [at, body] of bodies.entries()) this.#place(chain, Number(firstSeq) + at, Buffer.from(body).toString());
    for (const member of this.#all) member.hear(chain, (this.#next.get(chain) ?? 1) - 1);
  }

  /** Chains of which a record has come and one before it has not. */
  get holes(): string[] {
    return [...this.#highest].filter(([chain, seq]) => seq >= (this.#next.get(chain) ?? 1)).map(([chain]) => chain);
  }

  /** What has a number already is a repetition, whatever it is; what has a uid already is, too. What comes early comes again. */
  #place(chain: string, seq: number, body: string): void {
    const place = `${chain} ${seq}`;
    const next = this.#next.get(chain) ?? 1;
    this.#highest.set(chain, Math.max(seq, this.#highest.get(chain) ?? 0));
    if (this.#bodies.has(place) && this.#bodies.get(place) !== body) this.contradictions.push(place);
    this.#bodies.set(place, body);
    if (seq !== next) return;
    this.#next.set(chain, seq + 1);
    const { uid } = (JSON.parse(body) as { metadata: { uid: string } }).metadata;
    if (!this.stored.includes(uid)) this.stored.push(uid);
  }
}

class Member implements Host {
  readonly gate = new Gate();
  readonly notes: SpoolNote[] = [];
  readonly #scheduler = new FakeScheduler();
  readonly #heard: [string, number][] = [];
  #behind = 0;
  #clockBehind = 0;
  #withClock = false;
  #isDoomed = false;
  #isOver = false;
  #parts!: { readonly spool: Spool; readonly shipper: Shipper; readonly orphans: Orphanage };

  private constructor(private readonly hosts: Hosts) {}

  static async open(hosts: Hosts, pid: number): Promise<Member> {
    const member = new Member(hosts);
    const scheduler = member.#scheduler;
    const now = () => hosts.time - member.#clockBehind;
    const clock = { now, monotonic: now };
    const options = {
      app: 'ingress',
      cluster: 'cluster-a',
      maxBytes: 64 * 1024 * 1024,
      clock,
      random: hosts.random,
      files: gated(hosts.disk, member.gate),
      scheduler,
      processes: new FakeProcesses().spawn(pid, 'x', `host ${pid}`),
    };
    const spool = await Spool.open({ root: '/spool', ...options });
    member.#watch(spool);
    const publish = (bytes: Uint8Array) => member.gate.pass(() => hosts.publish(bytes));
    const shipper = startShipper({ spool, clock, scheduler, publish });
    const watch = (adopted: Spool) => member.#watch(adopted);
    const orphans = adoptOrphans({ directory: '/spool', ...options, publish, watch });
    member.#parts = { spool, shipper, orphans };
    return member;
  }

  get spool(): Spool {
    return this.#parts.spool;
  }

  #watch(spool: Spool): void {
    spool.watch({
      note: (note) => {
        this.notes.push(note);
        return note.what === 'gap' ? spool.append(control(note.gap.uid)) : undefined;
      },
      entryOf: ({ body }) => plain((JSON.parse(body.toString()) as { metadata: { uid: string } }).metadata.uid),
    });
  }

  append(uid: string): void {
    if (this.gate.isShut || this.#isOver) return;
    this.spool.append(plain(uid)).written.then(
      () => {
        this.hosts.acknowledged.add(uid);
        if (this.#isDoomed) this.#end();
      },
      () => undefined,
    );
  }

  doom(): void {
    this.#isDoomed = true;
  }

  #end(): void {
    this.#isOver = true;
    this.gate.shut();
  }

  hear(chain: string, seq: number): void {
    this.#heard.push([chain, seq]);
    if (!this.gate.isShut) this.#listen();
  }

  #listen(): void {
    for (const [chain, seq] of this.#heard.splice(0)) {
      this.#parts.shipper.committed(chain, seq);
      this.#parts.orphans.committed(chain, seq);
    }
  }

  async live(milliseconds: number): Promise<void> {
    if (this.#isOver) return;
    if (!this.gate.isShut) return this.#scheduler.advance(milliseconds);
    if (this.#withClock) this.#clockBehind += milliseconds;
    else this.#behind += milliseconds;
  }

  freeze(withClock = false): void {
    this.#withClock = withClock;
    this.gate.shut();
  }

  async thaw(): Promise<void> {
    if (this.#isOver) return;
    this.gate.open();
    this.#withClock = false;
    this.#listen();
    const behind = this.#behind;
    this.#behind = 0;
    await this.#scheduler.advance(behind);
  }
}
