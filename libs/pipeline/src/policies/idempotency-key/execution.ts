import type { PolicyServices } from '../../policy';
import { readRecord, writeRecord, type LedgerRecord } from './ledger-record';

/** How often the outcome is tried to be put down while the store does not answer. */
const RETRY_MS = 1_000;
const RETRIES = 600;
/** How often a record is changed that we ourselves, or somebody who wonders about us, changed meanwhile. */
const TRIES = 5;

/** A key that was claimed, or perhaps was. */
export interface ClaimedKey {
  /** Where its record lies. */
  readonly cell: string;
  readonly record: Extract<LedgerRecord, { state: 'running' }>;
  /** The record as it was written. */
  readonly written: Buffer;
  /** What stood there before; undefined: nothing. */
  readonly instead: Buffer | undefined;
}

type Outcome = 'done' | 'changed' | 'unavailable';
/** Changes the record where it still is the one that was seen. */
type Change = (before: Buffer, done: (outcome: Outcome) => void) => void;

/**
 * The one try of a key that is let through. Says for as long as it lasts that somebody is at it, and then how it ended.
 * Whatever it writes stands in the place of what it wrote before and of nothing else, so that one who came to a standstill
 * and was taken for gone does not write over whoever took its place.
 */
export class Execution {
  /** What stands in the store by now. */
  private before: Buffer;
  private stopRenewing: () => void = () => undefined;
  private concluded = false;

  constructor(
    private readonly services: Pick<PolicyServices, 'clock' | 'timers' | 'store'>,
    private readonly claimed: ClaimedKey,
    private readonly times: { readonly leaseMs: number; readonly keepMs: number },
  ) {
    this.before = claimed.written;
  }

  get fingerprint(): string {
    return this.claimed.record.fingerprint;
  }

  get isConcluded(): boolean {
    return this.concluded;
  }

  /** Says from now on that somebody is at it, until it is concluded or released. */
  hold(): void {
    this.stopRenewing = this.services.timers.after(this.times.leaseMs / 3, () => this.renew());
  }

  /**
   * Puts down how it ended, once.
   * @param written called when it is down, or the store did not take it at the first try
   */
  conclude(outcome: LedgerRecord, written: () => void = () => undefined): void {
    if (this.concluded) return written();
    this.concluded = true;
    this.stopRenewing();
    let told = false;
    const tell = (): void => {
      if (!told) written();
      told = true;
    };
    this.persist(this.replacing(writeRecord(outcome)), RETRIES, tell, () => undefined);
  }

  /**
   * Nothing was sent on: the key is again what it was before, unless somebody else has it by now.
   * @param looks how often the claim is looked for: more than once where the store did not say whether it took it
   * @param ended called when nothing more will be tried
   */
  release(looks = 1, ended: () => void = () => undefined): void {
    if (this.concluded) return ended();
    this.concluded = true;
    this.stopRenewing();
    this.takeBack(looks, ended);
  }

  private takeBack(looks: number, ended: () => void): void {
    const { instead } = this.claimed;
    const undo = instead ? this.replacing(instead) : this.removing;
    this.persist(
      undo,
      RETRIES,
      () => undefined,
      (outcome) => {
        if (outcome !== 'changed' || looks === 1) return ended();
        this.services.timers.after(RETRY_MS, () => this.takeBack(looks - 1, ended));
      },
    );
  }

  private persist(change: Change, tries: number, written: () => void, ended: (outcome: Outcome) => void): void {
    this.change(change, TRIES, (outcome) => {
      // A caller waits no longer for a store that is away; until it is back nobody can claim the key either.
      written();
      if (outcome !== 'unavailable' || tries === 0) return ended(outcome);
      this.services.timers.after(RETRY_MS, () => this.persist(change, tries - 1, written, ended));
    });
  }

  private renew(): void {
    const { clock } = this.services;
    const renewed = writeRecord({ ...this.claimed.record, leaseUntil: clock.now() + this.times.leaseMs });
    this.change(this.replacing(renewed), TRIES, () => {
      if (!this.concluded) this.hold();
    });
  }

  private replacing(value: Buffer): Change {
    return (before, done) =>
      this.services.store.replace(this.claimed.cell, before, value, this.times.keepMs, (outcome) => {
        if (outcome !== 'replaced') return done(outcome);
        this.before = value;
        done('done');
      });
  }

  private readonly removing: Change = (before, done) =>
    this.services.store.remove(this.claimed.cell, before, (outcome) => done(outcome === 'removed' ? 'done' : outcome));

  private change(change: Change, tries: number, done: (outcome: Outcome) => void): void {
    change(this.before, (outcome) => {
      if (outcome !== 'changed' || tries === 1) return done(outcome);
      this.services.store.get(this.claimed.cell, (found) => {
        if (found === 'unavailable') return done('unavailable');
        const known = found && readRecord(found);
        // Somebody only wondered whether we are still there: the record is ours, and we are.
        if (known?.state !== 'running' || known.owner !== this.claimed.record.owner) return done('changed');
        this.before = found!;
        this.change(change, tries - 1, done);
      });
    });
  }
}
