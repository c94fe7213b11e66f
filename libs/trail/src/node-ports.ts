import { fdatasync, read, readFileSync, readlinkSync, writev, writevSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, rmdir, stat, utimes, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { kill, pid as ownPid } from 'node:process';
import { isMissing } from './disk-errors';
import type { FileSystem, Processes, Scheduler, SpoolFile } from './ports';
import { QuickWrites } from './quick-writes';
import { openThreadTime } from './thread-time';

const flags = { create: 'w+', exclusive: 'wx+', edit: 'r+', read: 'r' } as const;

type Answer<Value> = (error: Error | null, value: Value) => void;

/** One disk for all files, as far as anybody knows. */
const quickWrites = new QuickWrites(() => performance.now(), openThreadTime());

/**
 * Reads, writes and syncs by callback: Node's promises of a file make and drop several objects each, and these three come with
 * every batch of records.
 */
class NodeFile implements SpoolFile {
  #underWay = 0;
  #whenIdle: (() => void) | undefined;
  #syncing = false;

  constructor(private readonly handle: FileHandle) {}

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
    const { fd } = this.handle;
    const list = parts as Uint8Array[];
    // What is written beside a sync may have to wait for it.
    const written =
      !this.#syncing && quickWrites.takes(length)
        ? quickWrites.measured(() => writevSync(fd, list, position))
        : await this.#run<number>((done) => writev(fd, list, position, done));
    if (written < length) await this.#writeRest(Buffer.concat(parts), written, position);
  }

  /** A short write says that the disk filled up or a signal came: the next call tells which. */
  async #writeRest(whole: Buffer, from: number, position: number): Promise<void> {
    let done = from;
    while (done < whole.length) {
      done += (await this.handle.write(whole, done, whole.length - done, position + done)).bytesWritten;
    }
  }

  sync(): Promise<void> {
    this.#syncing = true;
    return this.#run<void>((done) =>
      fdatasync(this.handle.fd, (error) => {
        this.#syncing = false;
        done(error);
      }),
    );
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#run((done) => read(this.handle.fd, into, 0, into.byteLength, position, done));
  }

  truncate(length: number): Promise<void> {
    return this.handle.truncate(length);
  }

  /** Not before what is under way has ended: the number of a closed file is soon that of another. */
  async close(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    await this.handle.close();
  }

  #run<Value>(begin: (done: Answer<Value>) => void): Promise<Value> {
    this.#underWay++;
    return new Promise((resolve, reject) =>
      begin((error, value) => {
        if (--this.#underWay === 0) this.#whenIdle?.();
        if (error) reject(error);
        else resolve(value);
      }),
    );
  }
}

/** The file system of the host. */
export const nodeFileSystem: FileSystem = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  async list(path) {
    return readdir(path).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
  },
  async open(path, mode) {
    return new NodeFile(await open(path, flags[mode], 0o600));
  },
  async readAll(path) {
    return readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
  },
  rename,
  async remove(path) {
    await rm(path, { force: true });
  },
  removeFolder: rmdir,
  async syncFolder(path) {
    const folder = await open(path, 'r');
    await folder.sync().finally(() => folder.close());
  },
  async touch(path) {
    const now = new Date();
    await utimes(path, now, now);
  },
  async modifiedAt(path) {
    return stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      (error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      },
    );
  },
};

/** Timers of the host. */
export const nodeScheduler: Scheduler = {
  turnEnd(run) {
    setImmediate(run);
  },
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Field 22 of /proc/<pid>/stat: ticks since boot. Field 2 is a name in parentheses that may hold anything. */
function startOf(pid: number): string | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'pid';
  }
}

function signalReaches(pid: number): boolean {
  try {
    kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Processes of the host; where there is no /proc, a process id alone has to do. */
export function nodeProcesses(): Processes {
  return {
    pid: ownPid,
    started: startOf(ownPid) ?? '',
    space: `${hostname()} ${pidNamespace()}`,
    isAlive(pid, started) {
      const start = startOf(pid);
      return start === undefined ? started === '' && signalReaches(pid) : start === started;
    },
  };
}
