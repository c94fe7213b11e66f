import { uuidv7 } from '@sallyport/contracts';
import type { ChainFiles } from './chain-files';
import type { Claim } from './claim';
import { isDiskFull } from './disk-errors';
import type { Entry } from './entry';
import { findHome, leaveHome, openHome, quitHome, type Home, type HomeOptions } from './home';
import type { SpoolFile } from './ports';
import { Pending, RESOLVED } from './pending';
import { readBack } from './read-back';
import { RecordMemory } from './record-memory';
import type { Segment } from './recover';
import {
  decodeRecord,
  encodeRecord,
  encodeSegmentEnd,
  encodeText,
  recordFlags,
  recordTypes,
  type SpoolRecord,
} from './segment';
import { createSegment, replaceSegment, type OpenSegment } from './segment-files';
import { makeReserve, RESERVE_BYTES } from './spool-folder';
import { messageOf, SpoolNotes, type SpoolWatcher } from './spool-notes';
import { StallWatch } from './stall-watch';
import type { Receipt } from './trail';

const SEGMENT_BYTES = 8 * 1024 * 1024;
const SEGMENT_MS = 60_000;
const BATCH_BYTES = 1024 * 1024;
/** Within this time of its write a record is durable, also when nobody waits for it. */
const SYNC_DELAY_MS = 4;
/** Bytes that may wait in memory for a disk that does not answer. */
const MEMORY_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 250;

export interface SpoolOptions extends HomeOptions {
  /** Of all chains of the spool together. */
  readonly maxBytes: number;
}

/**
 * Keeps the records of one producer on disk until they are committed elsewhere. Everything of one turn of the event
 * loop goes out in one write; at most one write and one sync are under way; while nothing comes, nothing runs. A spool whose folder
 * is taken by another process, or gone, goes on in another.
 */
export class Spool {
  #queue: Pending[] = [];
  #queuedBytes = 0;
  /** Written, but not yet known to be on the disk: kept so that they can be written again elsewhere. */
  #unsynced: Pending[] = [];
  #unsyncedBytes = 0;
  /** Of records that are not yet known to be on the disk. */
  #memory = new RecordMemory();
  #pumping = false;
  #turnPending = false;
  #file: SpoolFile | undefined;
  #active: Segment | undefined;
  #activeSince = 0;
  #syncing: Promise<void> | undefined;
  #syncCancel: (() => void) | undefined;
  /** Somebody waits until this record is durable. */
  #awaited = 0;
  /** The open segment cannot be trusted any more. */
  #broken = false;
  #retryCancel: (() => void) | undefined;
  /** Ordinary records are refused until there is room again. */
  #refusing = false;
  /** The disk itself said that it is full. */
  #starved = false;
  /** The disk does not do what it is asked: nobody waits for it, and ordinary records are refused, until it does. */
  #failing = false;
  readonly #stall: StallWatch;
  #reserve = false;
  #closed = false;
  #statingGap = false;
  readonly #notes = new SpoolNotes();
  #salvaged: readonly SpoolRecord[] = [];
  #durableThrough!: number;
  /** Everything up to here is safe elsewhere. */
  #committedThrough = 0;
  readonly #listeners = new Set<() => void>();
  readonly #idle: (() => void)[] = [];

  #home!: Home;
  #nextSeq!: number;

  private constructor(
    private readonly options: SpoolOptions,
    home: Home,
  ) {
    this.#stall = new StallWatch(
      options.scheduler,
      () => ({ taken: this.#nextSeq - 1, durable: this.#durableThrough }),
      () => this.#giveUpWaiting('the disk does not answer'),
    );
    this.#moveIn(home);
  }

  /** Claims a producer's folder, repairs what its last owner left, and begins a new segment. */
  static async open(options: SpoolOptions): Promise<Spool> {
    return new Spool(options, await findHome(options));
  }

  /** Opens a folder that is claimed already. */
  static async openClaimed(options: SpoolOptions, claim: Claim): Promise<Spool> {
    return new Spool(options, await openHome(options, claim));
  }

  #moveIn(home: Home): void {
    this.#home = home;
    ({ hasReserve: this.#reserve, isStarved: this.#starved } = home);
    this.#nextSeq = home.nextSeq;
    this.#durableThrough = home.nextSeq - 1;
    this.#committedThrough = (home.live.firstSeq ?? 1) - 1;
    this.#use(home.opened);
    this.#salvaged = [...this.#salvaged, ...home.salvaged];
    for (const note of home.notes) this.#notes.tell(note);
    if (this.#notes.isWatched) this.#writeSalvaged();
    this.#home.claim.onLost(() => this.#schedulePump());
    if (this.#starved) this.#retryLater();
  }

  /** Hands over what was found on opening, and from then on whatever happens. */
  watch(watcher: SpoolWatcher): void {
    this.#notes.watch(watcher);
    this.#writeSalvaged();
    this.#stateGap();
  }

  #writeSalvaged(): void {
    for (const record of this.#salvaged) {
      const entry = this.#notes.entryOf(record);
      if (entry && !this.has(entry.uid)) this.append(entry);
    }
    this.#salvaged = [];
  }

  /** `<app>-<n>`: another one once the folder was lost. */
  get producer(): string {
    return this.#home.claim.producer;
  }

  /** `<cluster>/<producer>/<epoch>`; a new epoch for every folder and after every damage, so that no name comes twice. */
  get chain(): string {
    return this.#home.live.chain;
  }

  /** Everything up to here is on the disk. */
  get durableThrough(): number {
    return this.#durableThrough;
  }

  get bytes(): number {
    return this.#home.live.bytes + this.#home.ended.reduce((sum, chain) => sum + chain.bytes, 0);
  }

  /** Chains with records to be shipped: ended ones first, the growing one last. */
  get chains(): readonly ChainFiles[] {
    return [...this.#home.ended, this.#home.live];
  }

  append(entry: Entry): Receipt {
    if (this.#closed || !this.#admits(entry)) return this.#refuse(entry);
    const seq = this.#nextSeq++;
    const bytes = this.#encode(entry, seq);
    const pending = new Pending(entry.uid, seq, entry.label, bytes, this.#hurry);
    this.#enqueue(pending);
    this.#schedulePump();
    return pending;
  }

  #enqueue(pending: Pending): void {
    this.#queue.push(pending);
    this.#queuedBytes += pending.bytes.length;
    this.#stall.begin();
  }

  #encode(entry: Entry, seq: number): Buffer {
    const flags = entry.control ? recordFlags.control : 0;
    const body = entry.body(this.chain, seq);
    if (entry.control) this.#home.live.controls.set(entry.uid, seq);
    return typeof body === 'string'
      ? encodeText(this.#memory, recordTypes.event, flags, seq, body)
      : encodeRecord(recordTypes.event, flags, seq, body);
  }

  /** Whether an ordinary record would be taken. */
  room(): boolean {
    const open = !this.#closed && !this.#refusing && !this.#starved && !this.#failing;
    return open && this.#fits(RESERVE_BYTES);
  }

  has(uid: string): boolean {
    return this.#home.live.controls.has(uid) || this.#home.ended.some(({ controls }) => controls.has(uid));
  }

  /** Calls back whenever `durableThrough` has grown, or the chains are others. @returns what ends it. */
  onDurable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Everything of the chain up to `seq` is safe elsewhere: its segments may go. Never rejects: what the disk does not let
   * go stays a part of the chain, and goes another time.
   */
  async committed(chain: string, seq: number): Promise<void> {
    try {
      if (chain === this.chain) await this.#trimLive(seq);
      else await this.#trimEnded(chain, seq);
      this.#notes.done('trim');
    } catch (error) {
      this.#notes.failed('trim', error);
    }
    if (this.#refusing || this.#starved) this.#schedulePump();
  }

  #trimLive(seq: number): Promise<void> {
    this.#committedThrough = Math.max(this.#committedThrough, seq);
    return this.#home.live.trim(seq, this.#active);
  }

  async #trimEnded(chain: string, seq: number): Promise<void> {
    const ended = this.#home.ended.find((one) => one.chain === chain);
    await ended?.trim(seq);
    // Only now: others may have gone meanwhile, or this one.
    const at = this.#home.ended.findIndex((one) => one === ended && one.isSpent);
    if (at === -1) return;
    const { directory } = this.#home.ended.splice(at, 1)[0]!;
    await this.options.files.remove(`${directory}/chain`);
    await this.options.files.removeFolder(directory);
  }

  /** Writes and syncs what was taken, then gives the folder up. What the disk cannot take by then is refused. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#end();
    await this.#home.claim.release();
  }

  async #end(): Promise<void> {
    await this.flush();
    this.#closed = true;
    this.#retryCancel?.();
    this.#syncCancel?.();
    this.#stall.end();
    for (const pending of this.#unsynced) pending.refuse();
    for (const pending of this.#queue) {
      if (!pending.countedLost) this.#lose(pending.label);
      pending.refuse();
    }
    for (const chain of this.chains) await chain.release();
    await this.#file?.close();
    await this.#home.page.close();
  }

  /** Closes the spool and removes its files, once all of them are committed elsewhere. Files set aside as damaged are left. */
  async retire(): Promise<void> {
    try {
      await this.#end();
      await leaveHome(this.options.files, this.#home);
    } finally {
      await this.#home.claim.release();
    }
  }

  /** Writes and syncs what was appended, as far as the disk lets it. */
  async flush(): Promise<void> {
    await this.#settled();
    await this.#syncAll();
    if (!this.#home.claim.isLost) return;
    await this.#settled();
    await this.#syncAll();
  }

  /** Resolves when the pump has nothing to do, or cannot go on. */
  #settled(): Promise<void> {
    if (!this.#pumping && !this.#turnPending) return RESOLVED;
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  // ---- what is taken ------------------------------------------------------------------------------------------

  #admits({ control }: Entry): boolean {
    if (this.room()) return true;
    if (control && this.#queuedBytes < RESERVE_BYTES && this.#fits(0)) return true;
    this.#refusing = true;
    return false;
  }

  #fits(spare: number): boolean {
    const pending = this.#queuedBytes + this.#unsyncedBytes;
    return pending < MEMORY_BYTES && this.bytes + this.#queuedBytes + spare < this.options.maxBytes;
  }

  #refuse({ uid, label }: Entry): Receipt {
    this.#lose(label);
    return Pending.refused(uid, label);
  }

  #lose(label: string): void {
    const { clock, random } = this.options;
    this.#home.page.count(label, clock.now(), () => uuidv7(clock.now(), random));
  }

  // ---- the pump: writes, rolls and repairs, one thing at a time -----------------------------------------------

  #schedulePump(): void {
    if (this.#turnPending || this.#pumping) return;
    this.#turnPending = true;
    this.options.scheduler.turnEnd(() => {
      this.#turnPending = false;
      void this.#pump();
    });
  }

  /** Never rejects, for nobody would hear it: what it cannot do is told, and done another time. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      let going = true;
      // Between the look at the queue and the end nothing is awaited: what is appended there would be overlooked.
      while (going) {
        if (this.#home.claim.isLost) going = await this.#moveHouse();
        if (!going) break;
        if (this.#starved || this.#refusing) await this.#seekRoom();
        if (this.#broken) going = await this.#moveOn();
        else if (this.#holdsRoomForNothing()) going = await this.#leaveSpent();
        else if (this.#queue.length === 0) going = false;
        else if (this.#segmentIsFull()) going = await this.#roll();
        else going = await this.#writeBatch();
      }
      this.#notes.done('turn');
    } catch (error) {
      this.#notes.failed('turn', error);
      this.#retryLater();
    }
    this.#pumping = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #writeBatch(): Promise<boolean> {
    const batch = this.#nextBatch();
    const active = this.#active!;
    try {
      await this.#file!.write(
        batch.map(({ bytes }) => bytes),
        active.bytes,
      );
    } catch (error) {
      return this.#writeFailed(error);
    }
    if (!this.#home.claim.isRelied() && !(await this.#home.claim.confirm())) return true;
    this.#leaveQueue(batch);
    for (const pending of batch) {
      this.#home.live.grow(pending.bytes.length);
      pending.advance('written');
    }
    active.lastSeq = batch.at(-1)!.seq;
    this.#unsynced.push(...batch);
    this.#scheduleSync();
    return true;
  }

  /** What is written next. It stays in the queue until it is, so that whoever waits for it can be told when it is not. */
  #nextBatch(): Pending[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && bytes < BATCH_BYTES) bytes += this.#queue[count++]!.bytes.length;
    return this.#queue.slice(0, count);
  }

  /** The first records of the queue are written. */
  #leaveQueue(batch: readonly Pending[]): void {
    this.#queue.splice(0, batch.length);
    for (const { bytes, countedLost, label } of batch) {
      this.#queuedBytes -= bytes.length;
      this.#unsyncedBytes += bytes.length;
      if (countedLost) this.#home.page.uncount(label);
    }
  }

  async #writeFailed(error: unknown): Promise<boolean> {
    if (await this.#isTaken()) return true;
    // A partly written record must not stay: what comes next goes to the same place.
    await this.#file!.truncate(this.#active!.bytes).catch(() => undefined);
    if (!isDiskFull(error)) {
      this.#broken = true;
      this.#notes.tell({ what: 'write-failed', error: messageOf(error) });
      return true;
    }
    this.#starved = true;
    if (await this.#releaseReserve()) return true;
    return this.#stuck(error);
  }

  /** Nothing can be written for now. */
  #stuck(error: unknown): false {
    this.#giveUpWaiting(messageOf(error));
    this.#retryLater();
    return false;
  }

  /**
   * Tells whoever waits that it was in vain. What was taken stays and is written as soon as the disk lets it; until then it
   * counts as lost, for this process may end before that.
   */
  #giveUpWaiting(error: string): void {
    if (!this.#failing) this.#notes.tell({ what: 'write-failed', error });
    this.#failing = true;
    for (const pending of this.#unsynced) pending.giveUp();
    for (const pending of this.#queue) {
      if (!pending.countedLost) this.#lose(pending.label);
      pending.countedLost = true;
      pending.giveUp();
    }
  }

  /** Frees the space set aside. @returns false when that was done before, or the disk does not let it. */
  async #releaseReserve(): Promise<boolean> {
    if (!this.#reserve) return false;
    try {
      await this.options.files.remove(`${this.#home.directory}/reserve`);
    } catch (error) {
      this.#notes.failed('reserve', error);
      return false;
    }
    this.#reserve = false;
    return true;
  }

  async #refillReserve(): Promise<boolean> {
    try {
      this.#reserve = await makeReserve(this.options.files, this.#home.directory);
      this.#notes.done('reserve');
    } catch (error) {
      this.#notes.failed('reserve', error);
    }
    return this.#reserve;
  }

  /** Takes ordinary records again as soon as there is room, and then states what was lost. */
  async #seekRoom(): Promise<void> {
    if (this.#starved) {
      // Records that were accepted come before the reserve.
      if (this.#queue.length > 0 || !(await this.#refillReserve())) return this.#retryLater();
      this.#starved = false;
    }
    if (this.#failing) return;
    // A tenth of the space must be free, or each trimmed segment would open and close the door once.
    if (!this.#fits(RESERVE_BYTES + this.options.maxBytes / 10)) return;
    this.#refusing = false;
    this.#stateGap();
  }

  #stateGap(): void {
    // What waits may still be written; its loss is stated only once it has come to pass.
    if (!this.#notes.isWatched || this.#statingGap || this.#queue[0]?.countedLost) return;
    const gap = this.#home.page.take();
    if (!gap) return;
    this.#statingGap = true;
    // A crash after the record and before the page was cleared: the record is already there.
    const durable = this.has(gap.uid) ? RESOLVED : this.#notes.tell({ what: 'gap', gap })?.durable;
    const { page } = this.#home;
    void durable
      ?.then(() => page.stated())
      .catch(() => undefined)
      .finally(() => (this.#statingGap = false));
  }

  #retryLater(): void {
    if (this.#retryCancel || this.#closed) return;
    this.#retryCancel = this.options.scheduler.after(RETRY_MS, () => {
      this.#retryCancel = undefined;
      void this.#pump();
    });
  }

  // ---- durability ---------------------------------------------------------------------------------------------

  readonly #hurry = (seq: number): void => {
    this.#awaited = Math.max(this.#awaited, seq);
    if (this.#unsynced.length > 0) this.#scheduleSync();
  };

  #scheduleSync(): void {
    if (this.#syncing) return;
    if (this.#awaited >= this.#unsynced[0]!.seq || this.#unsyncedBytes >= BATCH_BYTES) {
      this.#syncCancel?.();
      this.#syncCancel = undefined;
      void this.#sync();
    } else {
      this.#syncCancel ??= this.options.scheduler.after(SYNC_DELAY_MS, () => {
        this.#syncCancel = undefined;
        void this.#sync();
      });
    }
  }

  #sync(): Promise<void> {
    if (this.#syncing) return this.#syncing;
    if (this.#broken || this.#home.claim.isLost || this.#unsynced.length === 0) return RESOLVED;
    const count = this.#unsynced.length;
    this.#syncing = this.#file!.sync().then(
      () => (this.#home.claim.isRelied() ? this.#synced(count) : this.#syncedLate(count)),
      (error: unknown) => this.#syncFailed(error),
    );
    return this.#syncing;
  }

  #synced(count: number): void {
    this.#syncing = undefined;
    this.#madeDurable(count);
    if (this.#unsynced.length > 0) this.#scheduleSync();
  }

  async #syncedLate(count: number): Promise<void> {
    try {
      if (await this.#home.claim.confirm()) return this.#synced(count);
      this.#syncing = undefined;
      this.#schedulePump();
    } catch (error) {
      this.#syncFailed(error);
    }
  }

  #syncFailed(error: unknown): void {
    this.#syncing = undefined;
    // After a failed fsync the kernel may drop the pages and report success next time: this descriptor is done.
    this.#broken = true;
    this.#notes.tell({ what: 'sync-failed', error: messageOf(error) });
    this.#schedulePump();
  }

  /** Syncs until nothing written is left, or the segment proves broken. */
  async #syncAll(): Promise<void> {
    while (!this.#broken && !this.#home.claim.isLost && this.#unsynced.length > 0) await this.#sync();
  }

  #madeDurable(count: number): void {
    for (const pending of this.#unsynced.splice(0, count)) {
      this.#unsyncedBytes -= pending.bytes.length;
      this.#durableThrough = pending.seq;
      pending.advance('durable');
    }
    this.#memory.free(this.#durableThrough);
    this.#failing = false;
    if (this.#refusing) this.#schedulePump();
    for (const listener of this.#listeners) listener();
  }

  // ---- segments -----------------------------------------------------------------------------------------------

  #segmentIsFull(): boolean {
    const { bytes, firstSeq, lastSeq } = this.#active!;
    if (lastSeq < firstSeq) return false;
    return bytes >= SEGMENT_BYTES || this.options.clock.now() - this.#activeSince >= SEGMENT_MS;
  }

  /** Closes the open segment and begins the next. */
  async #roll(): Promise<boolean> {
    const active = this.#active!;
    // What is in this segment can be read back from here only as long as it is open.
    if (!(await this.#home.claim.stands())) return true;
    await this.#syncAll();
    if (this.#broken || this.#home.claim.isLost) return true;
    try {
      const end = encodeSegmentEnd(active.lastSeq - active.firstSeq + 1, active.lastSeq);
      await this.#file!.write([end], active.bytes);
      await this.#file!.sync();
      await this.#beginSegment();
      // Only now: until the next segment stands, a failure cuts the end record off again.
      active.bytes += end.length;
      this.#failing = false;
      return true;
    } catch (error) {
      return this.#writeFailed(error);
    }
  }

  /** There is no room, and all of the open segment is safe elsewhere: it would stay as long as nothing new is taken. */
  #holdsRoomForNothing(): boolean {
    const { firstSeq, lastSeq } = this.#active!;
    return (this.#refusing || this.#starved) && firstSeq <= lastSeq && lastSeq <= this.#committedThrough;
  }

  /** Begins the next segment, and lets the last one go. */
  async #leaveSpent(): Promise<boolean> {
    const going = await this.#roll();
    await this.committed(this.chain, this.#committedThrough);
    return going;
  }

  async #beginSegment(): Promise<void> {
    const { files, clock } = this.options;
    const firstSeq = this.#queue[0]?.seq ?? this.#nextSeq;
    const last = this.#file;
    this.#use(await createSegment(files, this.#home.directory, firstSeq, clock.now()));
    await last?.close();
  }

  #use({ file, segment, createdAt }: OpenSegment): void {
    this.#file = file;
    this.#active = segment;
    this.#activeSince = createdAt;
    this.#home.live.add(segment);
  }

  /** Leaves a segment that failed: everything since its last good sync is written again into a new one. */
  async #moveOn(): Promise<boolean> {
    const { files, clock } = this.options;
    await this.#syncing;
    const firstSeq = this.#durableThrough + 1;
    const batch = this.#nextBatch();
    const records = [...this.#unsynced, ...batch];
    const encoded = records.map(({ bytes }) => bytes);
    let next: OpenSegment;
    try {
      await this.#home.live.release();
      next = await replaceSegment(files, this.#home.directory, firstSeq, clock.now(), encoded);
    } catch (error) {
      if (isDiskFull(error)) {
        this.#starved = true;
        if (await this.#releaseReserve()) return true;
      }
      return (await this.#isTaken()) || this.#stuck(error);
    }
    if (!this.#home.claim.isRelied() && !(await this.#home.claim.confirm())) {
      await next.file.close().catch(() => undefined);
      return true;
    }
    await this.#file!.close().catch(() => undefined);
    this.#home.live.endAt(firstSeq - 1);
    this.#use(next);
    this.#leaveQueue(batch);
    this.#unsynced = records;
    this.#broken = false;
    this.#madeDurable(records.length);
    return true;
  }

  // ---- the folder is lost -------------------------------------------------------------------------------------

  /** Whether that is why something failed. */
  async #isTaken(): Promise<boolean> {
    return !(await this.#home.claim.stands().catch(() => true));
  }

  /**
   * Goes on in another folder. What is not known to be committed is written again there as far as it is at hand, for the next
   * owner may not have found it; what it has found as well is known by its uid.
   */
  async #moveHouse(): Promise<boolean> {
    const left = this.#home;
    const [file, active] = [this.#file!, this.#active!];
    let home: Home;
    try {
      await this.#syncing;
      // What is under way in it ends first, and nothing more begins: its names may soon be those of another owner, or of this one.
      for (const chain of this.chains) await chain.abandon();
      home = await findHome(this.options);
    } catch (error) {
      return this.#stuck(error);
    }
    // Of a process that was frozen commits may have come in, which have waited for it.
    const written = await readBack(file, active, this.#committedThrough).catch(() => []);
    const kept = written.filter(({ seq }) => seq <= this.#durableThrough);
    await quitHome(left, file);
    // From here on nothing is awaited: what is appended meanwhile has its place in the chain that is left.
    const waiting = [...this.#unsynced, ...this.#queue];
    this.#forgetPlaces();
    home.page.inherit(left.page.unstated(this.#statingGap));
    this.#moveIn(home);
    for (const record of kept) this.#takeAlong(record);
    for (const pending of waiting) this.#takeAlong(decodeRecord(pending.bytes, 0)!, pending);
    this.#awaited = this.#nextSeq - 1;
    // The folder may have come with chains that nobody else ships.
    for (const listener of this.#listeners) listener();
    this.#notes.tell({ what: 'folder-lost', chain: left.live.chain, again: kept.length + waiting.length });
    this.#stateGap();
    return true;
  }

  #forgetPlaces(): void {
    this.#stall.end();
    this.#syncCancel?.();
    this.#syncCancel = undefined;
    this.#memory = new RecordMemory();
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#awaited = 0;
    this.#broken = false;
    this.#failing = false;
  }

  /** Gives a record of the chain that was left a place in this one. */
  #takeAlong(record: SpoolRecord, waiting?: Pending): void {
    const entry = this.#notes.entryOf(record);
    if (!entry) return waiting?.refuse();
    const seq = this.#nextSeq++;
    const bytes = this.#encode(entry, seq);
    const pending = waiting ?? new Pending(entry.uid, seq, entry.label, bytes, this.#hurry);
    pending.move(seq, bytes);
    this.#enqueue(pending);
  }
}
