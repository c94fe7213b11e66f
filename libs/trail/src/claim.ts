import { isMissing } from './disk-errors';
import { ownerContent, ownerPath, ownersIn, writeOwner, type OwnerPorts } from './owner-files';
import type { Scheduler } from './ports';

const HEARTBEAT_MS = 5_000;
/**
 * How long an owner relies on its last sign of life. Others believe it for twice as long: between the two lie a clock that is
 * a few seconds off and the time that a file system needs to show a sign of life to another host.
 */
const RELIED_MS = 10_000;

export interface ClaimPorts extends OwnerPorts {
  readonly scheduler: Scheduler;
}

/**
 * A producer's folder that belongs to this process until it is released, or lost: to another process that took this one for
 * dead, or with the folder itself. A lost claim is never won back.
 */
export class Claim {
  #isLost = false;
  /** When the last sign of life was given that nobody can have missed; monotonic. */
  #seen: number;
  #cancel: (() => void) | undefined;
  #whenLost: (() => void) | undefined;
  /** What touches owner files takes turns: each of it relies on the number of the present one. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Of a home that this owner makes: higher than all that are there, and than what an earlier owner may yet make. */
  readonly homeNumber: number;

  /**
   * @param number of the owner file, which has been made with `content`
   * @param isDoubtful The last owner may be alive and write on: nothing that it writes to may be written by this one.
   * @param since monotonic, from before the owner file was made
   */
  constructor(
    private readonly ports: ClaimPorts,
    /** `<app>-<n>` */
    readonly producer: string,
    readonly directory: string,
    private number: number,
    private readonly content: Buffer,
    readonly isDoubtful: boolean,
    since: number,
  ) {
    this.homeNumber = number;
    this.#seen = since;
    this.#planBeat();
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Whether nobody can have taken the folder meanwhile, by our clock. To be asked before a record is said to be written. */
  isRelied(): boolean {
    return !this.#isLost && this.ports.clock.monotonic() - this.#seen < RELIED_MS;
  }

  /**
   * Makes sure that the folder is still ours, where our last sign of life is too old to rely on. What was written before this
   * is found by whoever takes the folder later.
   * @throws what the disk says; then nothing is known.
   */
  confirm(): Promise<boolean> {
    return this.#inTurn(async () => this.isRelied() || this.#claimAgain());
  }

  /** Looks, whatever the clock says: it does not count while a whole machine stands still. @throws what the disk says. */
  stands(): Promise<boolean> {
    return this.#inTurn(() => this.#stands());
  }

  /** Calls back when the claim turns out to be lost. */
  onLost(listener: () => void): void {
    this.#whenLost = listener;
  }

  /** All that earlier owners left is taken over. Until now their files say so to whoever comes after a death in between. */
  async settle(): Promise<void> {
    const { files } = this.ports;
    for (const number of await ownersIn(files, this.directory)) {
      if (number < this.number) await files.remove(ownerPath(this.directory, number));
    }
  }

  /** Lets the next process have the folder at once. */
  async release(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#whenLost = undefined;
    await this.#inTurn(async () => {
      this.#isLost = true;
      if (await this.#isOurs(this.number)) await this.ports.files.remove(ownerPath(this.directory, this.number));
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #lose(): false {
    if (this.#isLost) return false;
    this.#isLost = true;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#whenLost?.();
    return false;
  }

  #planBeat(): void {
    this.#cancel = this.ports.scheduler.after(HEARTBEAT_MS, () => {
      // A missed beat is made good by the next one.
      void this.#inTurn(() => this.#beat())
        .catch(() => undefined)
        .then(() => this.#cancel && this.#planBeat());
    });
  }

  async #beat(): Promise<void> {
    if (!this.isRelied()) return void (await this.#claimAgain());
    const begun = this.ports.clock.monotonic();
    try {
      await this.ports.files.touch(ownerPath(this.directory, this.number));
    } catch (error) {
      if (!isMissing(error)) throw error;
      return void this.#lose();
    }
    // One that came too late may have been given in the middle of a takeover.
    if ((await this.#stands()) && this.isRelied()) this.#seen = begun;
  }

  async #stands(): Promise<boolean> {
    if (this.#isLost) return false;
    const highest = Math.max(0, ...(await ownersIn(this.ports.files, this.directory)));
    return (highest === this.number && (await this.#isOurs(this.number))) || this.#lose();
  }

  async #isOurs(number: number): Promise<boolean> {
    const found = await this.ports.files.readAll(ownerPath(this.directory, number));
    return found !== undefined && this.content.equals(found);
  }

  /**
   * A sign of life that is given late says nothing: another process may have seen none, and may be about to make the next
   * owner file. So this one makes it, as that one would: exactly one of the two has it.
   */
  async #claimAgain(): Promise<boolean> {
    if (this.#isLost) return false;
    const { files, clock } = this.ports;
    const begun = clock.monotonic();
    const last = this.number;
    const path = ownerPath(this.directory, last + 1);
    const made = await writeOwner(files, path, this.content).catch((error: unknown) => {
      if (isMissing(error)) return false;
      throw error;
    });
    if (!made) return this.#lose();
    try {
      const highest = Math.max(...(await ownersIn(files, this.directory)));
      if (highest === last + 1 && (await this.#isOurs(last))) this.number = last + 1;
    } finally {
      // Also after an error: the next attempt makes the same file.
      if (this.number === last) await files.remove(path);
    }
    if (this.number === last) return this.#lose();
    this.#seen = begun;
    await files.remove(ownerPath(this.directory, last)).catch(() => undefined);
    return true;
  }
}

/**
 * Claims a folder of which `last` is the highest owner file, 0 for none, and is not held. Owners are numbered files, `owner.1`,
 * `owner.2`, …: the highest counts, and the next one is made with O_EXCL. Of several processes that find the same dead owner
 * exactly one makes the successor. A single file could not do that: between reading it and replacing it another process may
 * already have replaced it.
 */
export async function makeClaim(
  directory: string,
  producer: string,
  last: number,
  isDoubtful: boolean,
  ports: ClaimPorts,
): Promise<Claim | undefined> {
  const { files, clock } = ports;
  const since = clock.monotonic();
  const content = ownerContent(ports);
  if (!(await writeOwner(files, ownerPath(directory, last + 1), content))) return undefined;
  if (Math.max(...(await ownersIn(files, directory))) > last + 1) {
    await files.remove(ownerPath(directory, last + 1));
    return undefined;
  }
  return new Claim(ports, producer, directory, last + 1, content, isDoubtful, since);
}
