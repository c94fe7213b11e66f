import { SpoolFull, type Receipt } from './trail';

type State = 'queued' | 'written' | 'durable' | 'refused';

/** Shared by everything that has happened already. */
export const RESOLVED = Promise.resolve();
const NOTHING = Buffer.alloc(0);

interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

function defer(): Deferred {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((good, bad) => {
    resolve = good;
    reject = bad;
  });
  return { promise, resolve, reject };
}

/** A record between `append` and the disk. */
export class Pending implements Receipt {
  state: State = 'queued';
  /** It waits for a disk that fails, and is counted among the lost until it is written after all. */
  countedLost = false;
  #written: Deferred | undefined;
  #durable: Deferred | undefined;

  constructor(
    readonly uid: string,
    public seq: number,
    readonly label: string,
    public bytes: Buffer,
    /** Told that somebody waits for this record to be durable. */
    private readonly hurry: (seq: number) => void,
  ) {}

  /** A record that was not taken. */
  static refused(uid: string, label: string): Pending {
    const refused = new Pending(uid, 0, label, NOTHING, () => {});
    refused.refuse();
    return refused;
  }

  get written(): Promise<void> {
    if (this.state === 'refused') return Promise.reject(new SpoolFull(this.uid));
    if (this.state !== 'queued') return RESOLVED;
    return (this.#written ??= defer()).promise;
  }

  get durable(): Promise<void> {
    if (this.state === 'refused') return Promise.reject(new SpoolFull(this.uid));
    if (this.state === 'durable') return RESOLVED;
    this.hurry(this.seq);
    return (this.#durable ??= defer()).promise;
  }

  /** It goes on in another chain. */
  move(seq: number, bytes: Buffer): void {
    this.seq = seq;
    this.bytes = bytes;
  }

  advance(state: 'written' | 'durable'): void {
    this.state = state;
    this.#written?.resolve();
    if (state === 'durable') this.#durable?.resolve();
  }

  refuse(): void {
    this.state = 'refused';
    this.giveUp();
  }

  /** Rejects for whoever waits. The record itself goes on. */
  giveUp(): void {
    if (!this.#written && !this.#durable) return;
    const error = new SpoolFull(this.uid);
    this.#written?.reject(error);
    this.#durable?.reject(error);
    this.#written = undefined;
    this.#durable = undefined;
  }
}
