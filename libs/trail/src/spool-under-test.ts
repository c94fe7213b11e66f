import { FakeDisk, FakeProcesses, FakeScheduler, turns } from '@sallyport/testkit';
import type { Entry } from './entry';
import { Spool, type SpoolOptions } from './spool';
import type { SpoolNote } from './spool-notes';
import type { Receipt } from './trail';

export interface House {
  readonly disk: FakeDisk;
  readonly scheduler: FakeScheduler;
  readonly clock: { time: number; now(): number; monotonic(): number };
  readonly processes: FakeProcesses;
  readonly notes: SpoolNote[];
  pid: number;
}

export function house(): House {
  const clock = { time: 1_795_450_000_000, now: () => clock.time, monotonic: () => clock.time };
  return {
    disk: new FakeDisk(),
    scheduler: new FakeScheduler(),
    clock,
    processes: new FakeProcesses(),
    notes: [],
    pid: 1,
  };
}

export const plain = (uid: string): Entry => ({
  uid,
  label: 'request.completed/public',
  control: false,
  body: (chain, seq) => JSON.stringify({ chain, metadata: { uid }, seq }),
});
export const control = (uid: string): Entry => ({ ...plain(uid), label: 'change.committed/-', control: true });
export const large = (uid: string, bytes: number): Entry => ({ ...plain(uid), body: () => Buffer.alloc(bytes, 'x') });

let seed = 0;

/** Makes every later call of an object lead nowhere, as for a process that has been killed. */
export function mortal<T extends object>(target: T, life: { over: boolean }): T {
  return new Proxy(target, {
    get(object, name, receiver) {
      const member: unknown = Reflect.get(object, name, receiver);
      if (typeof member !== 'function') return member;
      return (...values: unknown[]) => {
        if (life.over) return new Promise(() => {});
        const result: unknown = (member as (...of: unknown[]) => unknown).apply(object, values);
        if (!(result instanceof Promise)) return result;
        return result.then((value: unknown) =>
          life.over ? new Promise(() => {}) : isFile(value) ? mortal(value, life) : value,
        );
      };
    },
  });
}

const isFile = (value: unknown): value is object => typeof value === 'object' && value !== null && 'sync' in value;

const uidOf = (body: Buffer) => /"uid":"([^"]*)"/.exec(body.toString())?.[1] ?? 'salvaged';

/** Opens a spool as a process of its own, and writes its notes down as control records. */
export async function open(at: House, more: Partial<SpoolOptions> = {}) {
  const process = at.processes.spawn(at.pid, String(at.pid++));
  const life = { over: false };
  const spool = await Spool.open({
    root: '/spool',
    app: 'ingress',
    cluster: 'cluster-a',
    maxBytes: 64 * 1024 * 1024,
    clock: at.clock,
    random: (count) => Buffer.alloc(count, ++seed),
    files: mortal(at.disk, life),
    scheduler: at.scheduler,
    processes: process,
    ...more,
  });
  spool.watch({
    note: (note) => {
      at.notes.push(note);
      return note.what === 'gap' ? spool.append(control(note.gap.uid)) : undefined;
    },
    entryOf: ({ flags, body }) => ({ ...plain(uidOf(body)), control: flags !== 0, body: () => body }),
  });
  const kill = () => {
    life.over = true;
    at.processes.die(process);
  };
  return { spool, kill };
}

export async function uids(spool: Spool): Promise<string[]> {
  const found: string[] = [];
  for (const files of spool.chains) {
    const through = files.chain === spool.chain ? spool.durableThrough : (files.segments.at(-1)?.lastSeq ?? 0);
    for (let next = 1; ;) {
      const run = await files.read(next, through, { records: 7, bytes: 1000 });
      if (!run) break;
      for (const body of run.bodies)
        found.push((JSON.parse(body.toString()) as { metadata: { uid: string } }).metadata.uid);
      next = run.firstSeq + run.bodies.length;
    }
  }
  return found;
}

export const settled = async (receipt: Receipt) => {
  const state = { written: 'waiting', durable: 'waiting' };
  void receipt.written.then(
    () => (state.written = 'done'),
    () => (state.written = 'refused'),
  );
  void receipt.durable.then(
    () => (state.durable = 'done'),
    () => (state.durable = 'refused'),
  );
  await turns();
  return state;
};
