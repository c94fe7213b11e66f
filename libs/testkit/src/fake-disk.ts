import type { FileSystem, Processes, Scheduler, SpoolFile } from '@sallyport/trail';

class DiskError extends Error {
  constructor(
    readonly code: string,
    path: string,
  ) {
    super(`${code}: ${path}`);
  }
}

interface Inode {
  /** What readers see. */
  cached: Buffer;
  /** What a power cut leaves. */
  durable: Buffer;
  modifiedAt: number;
}

/** When a write that has begun is over. */
const LATER = Promise.resolve();

type Call = 'open' | 'write' | 'sync' | 'rename' | 'remove' | 'touch';

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** A disk in memory with a page cache that can be lost, a size that can be reached, and faults on demand. */
export class FakeDisk implements FileSystem {
  readonly #files = new Map<string, Inode>();
  readonly #folders = new Set<string>();
  /** Folders that were removed: nothing can be made in them. */
  readonly #removed = new Set<string>();
  /** Bytes it holds. */
  size = Infinity;
  /** Fails the next calls of a kind: once each, or until the fault is taken away. */
  readonly faults: { call: Call; code: string; path?: RegExp; lasting?: true }[] = [];
  /** Writes and syncs are over only after it. */
  held: Promise<void> = LATER;
  /** Bytes of a failing write that reach the file all the same. */
  partialBytes = 0;
  writes = 0;
  syncs = 0;
  now = 0;

  get used(): number {
    return [...this.#files.values()].reduce((sum, { cached }) => sum + cached.length, 0);
  }

  paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  contents(path: string): Buffer {
    return this.#inode(path).cached;
  }

  /** Puts bytes in place as if they had always been there. */
  put(path: string, bytes: Uint8Array): void {
    this.#files.set(path, { cached: Buffer.from(bytes), durable: Buffer.from(bytes), modifiedAt: this.now });
  }

  /** Everything that was not synced is gone; names are kept, since folders are synced after each change. */
  cutPower(): void {
    for (const inode of this.#files.values()) inode.cached = Buffer.from(inode.durable);
  }

  #inode(path: string): Inode {
    const inode = this.#files.get(path);
    if (!inode) throw new DiskError('ENOENT', path);
    return inode;
  }

  #fault(call: Call, path: string): string | undefined {
    const fault = this.faults.find((some) => some.call === call && (some.path?.test(path) ?? true));
    if (fault && !fault.lasting) this.faults.splice(this.faults.indexOf(fault), 1);
    return fault?.code;
  }

  #fail(call: Call, path: string): void {
    const code = this.#fault(call, path);
    if (code) throw new DiskError(code, path);
  }

  async makeFolder(path: string): Promise<void> {
    this.#folders.add(path);
    for (const removed of this.#removed) if (isWithin(path, removed)) this.#removed.delete(removed);
  }

  /** Deletes a folder with all that is in it, as somebody at a keyboard does. Open files stay what they are. */
  deleteTree(path: string): void {
    for (const file of this.#files.keys()) if (isWithin(file, path)) this.#files.delete(file);
    for (const folder of this.#folders) if (isWithin(folder, path)) this.#folders.delete(folder);
    this.#removed.add(path);
  }

  async list(path: string): Promise<string[]> {
    const inside = [...this.#files.keys(), ...this.#folders].filter((name) => name.startsWith(`${path}/`));
    return [...new Set(inside.map((name) => name.slice(path.length + 1).split('/')[0]!))];
  }

  async open(path: string, mode: 'create' | 'exclusive' | 'edit' | 'read'): Promise<SpoolFile> {
    this.#fail('open', path);
    if ([...this.#removed].some((removed) => isWithin(path, removed))) throw new DiskError('ENOENT', path);
    if (mode === 'exclusive' && this.#files.has(path)) throw new DiskError('EEXIST', path);
    if (mode === 'create' || mode === 'exclusive') this.put(path, Buffer.alloc(0));
    return this.#fileOf(path, this.#inode(path));
  }

  #fileOf(path: string, inode: Inode): SpoolFile {
    const writeAt = (bytes: Buffer, position: number) => {
      const grown = Buffer.alloc(Math.max(inode.cached.length, position + bytes.length));
      inode.cached.copy(grown);
      bytes.copy(grown, position);
      inode.cached = grown;
      inode.modifiedAt = this.now;
    };
    return {
      write: async (parts, position) => {
        this.writes++;
        const bytes = Buffer.concat(parts);
        const growth = Math.max(0, position + bytes.length - inode.cached.length);
        const left = this.size - this.used;
        const code = this.#fault('write', path) ?? (growth > left ? 'ENOSPC' : undefined);
        if (code) {
          writeAt(bytes.subarray(0, code === 'ENOSPC' && growth > left ? left : this.partialBytes), position);
          throw new DiskError(code, path);
        }
        writeAt(bytes, position);
        await this.held;
        // A disk reads the bytes while the write lasts, not when it begins.
        writeAt(Buffer.concat(parts), position);
      },
      sync: async () => {
        this.syncs++;
        this.#fail('sync', path);
        if (this.held !== LATER) await this.held;
        inode.durable = Buffer.from(inode.cached);
      },
      read: async (into, position) => inode.cached.copy(into, 0, position),
      truncate: async (length) => {
        inode.cached = Buffer.from(inode.cached.subarray(0, length));
      },
      close: async () => {},
    };
  }

  async readAll(path: string): Promise<Uint8Array | undefined> {
    const inode = this.#files.get(path);
    return inode && Buffer.from(inode.cached);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#fail('rename', from);
    const inside = [...this.#files.keys()].filter((path) => path === from || path.startsWith(`${from}/`));
    if (inside.length === 0) throw new DiskError('ENOENT', from);
    for (const path of inside) {
      this.#files.set(`${to}${path.slice(from.length)}`, this.#inode(path));
      this.#files.delete(path);
    }
  }

  async remove(path: string): Promise<void> {
    this.#fail('remove', path);
    this.#files.delete(path);
  }

  async removeFolder(path: string): Promise<void> {
    if (this.paths().some((file) => isWithin(file, path))) throw new DiskError('ENOTEMPTY', path);
    this.#folders.delete(path);
    this.#removed.add(path);
  }

  async syncFolder(): Promise<void> {}

  async touch(path: string): Promise<void> {
    this.#fail('touch', path);
    this.#inode(path).modifiedAt = this.now;
  }

  async modifiedAt(path: string): Promise<number | undefined> {
    return this.#files.get(path)?.modifiedAt;
  }
}

/** Timers that run when the test says so; the end of a turn is a real one. */
export class FakeScheduler implements Scheduler {
  readonly #timers = new Set<{ due: number; run: () => void }>();
  #now = 0;

  turnEnd(run: () => void): void {
    setImmediate(run);
  }

  after(milliseconds: number, run: () => void): () => void {
    const timer = { due: this.#now + milliseconds, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass; timers that become due run in their order, and their consequences before the next. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await turns();
      const next = [...this.#timers].filter(({ due }) => due <= end).sort((left, right) => left.due - right.due)[0];
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.due);
      next.run();
    }
    this.#now = end;
    await turns();
  }
}

/** Lets everything that only waits for turns of the event loop come to rest. */
export async function turns(count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Process table of a test: `die` ends a process, its id may come back with another start time. */
export class FakeProcesses {
  readonly #alive = new Set<string>();

  spawn(pid: number, started: string, space = 'host'): Processes {
    this.#alive.add(`${pid} ${started}`);
    return { pid, started, space, isAlive: (other, since) => this.#alive.has(`${other} ${since}`) };
  }

  die({ pid, started }: Processes): void {
    this.#alive.delete(`${pid} ${started}`);
  }
}
