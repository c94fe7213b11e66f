/** A file of the spool. Positions are given, never implied, so that a failed write moves nothing. */
export interface SpoolFile {
  /** Writes all of it, in one call to the kernel where the kernel takes it. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>;
  /** fdatasync: returns when the bytes are on the disk. */
  sync(): Promise<void>;
  /** @returns how many bytes were there to read. */
  read(into: Uint8Array, position: number): Promise<number>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** What the spool needs of a file system. Errors carry a `code` such as ENOSPC, as those of Node do. */
export interface FileSystem {
  /** Makes the folder and those above it. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, in no order; empty when there is no such folder. */
  list(path: string): Promise<string[]>;
  /** `create` empties what is there; `exclusive` fails with EEXIST; `edit` and `read` need the file. */
  open(path: string, mode: 'create' | 'exclusive' | 'edit' | 'read'): Promise<SpoolFile>;
  /** The whole file, or undefined when it is missing. */
  readAll(path: string): Promise<Uint8Array | undefined>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is gone already is no error. */
  remove(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  /** Makes created, renamed and removed names in the folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Sets the modification time to now. */
  touch(path: string): Promise<void>;
  /** Milliseconds since the epoch of the last modification, or undefined when the file is missing. */
  modifiedAt(path: string): Promise<number | undefined>;
}

/** Deferral, handed in so that tests decide what happens when. */
export interface Scheduler {
  /** Runs once the present turn of the event loop has ended. */
  turnEnd(run: () => void): void;
  /** Runs after some milliseconds, without keeping the process alive. @returns what takes it back. */
  after(milliseconds: number, run: () => void): () => void;
}

/** What a claim on a spool folder has to know of processes. */
export interface Processes {
  readonly pid: number;
  /** A mark that a later process of the same id does not share: its start time. */
  readonly started: string;
  /** The set of processes whose ids mean anything to us: host and pid namespace. */
  readonly space: string;
  /** Whether the process of our own space still runs. */
  isAlive(pid: number, started: string): boolean;
}
