import type { PolicyServices } from '../../policy';
import { readRecord, writeRecord, type LedgerRecord } from './ledger-record';

/** How often the outcome is tried to be put down while the store does not answer. */
const RETRY_MS = 1_000;
const RETRIES = 600;
/** How often a record is changed that we ourselves, or somebody who wonders about us, changed meanwhile. */
const TRIES = 5;

type Outcome = 'done' | 'changed' | 'unavailable';
/** Changes the record where it still is the one that was seen. */
type Change = (before: Buffer, done: (outcome: Outcome) => void) => void;

/**
 * The one try of a key that is let through. Says for as long as it lasts that somebody is at it, and then how it ended.
 * Whatever it writes stands in the place of what it wrote before and of nothing else, so that one who came to a standstill
 * and was taken for gone does not write over whoever took its place.
 */
export class Execution {
  private stopRenewing: () => void;
  private concluded = false;

  /** @param before what stands in the store by now */
  constructor(
    private readonly services: Pick<PolicyServices, 'clock' | 'timers' | 'store'>,
    private readonly key: string,
    private readonly record: Extract<LedgerRecord, { state: 'running' }>,
    private before: Buffer,
    private readonly times: { readonly leaseMs: number; readonly keepMs: number },
  ) {
    this.stopRenewing = this.renewLater();
  }

  get fingerprint(): string {
    return this.record.fingerprint;
  }

  get isConcluded(): boolean {
    return this.concluded;
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
    this.persist(this.replacing(writeRecord(outcome)), RETRIES, tell);
  }

  /** It was not sent on: the key is as good as new, unless somebody else has it by now. */
  release(): void {
    if (this.concluded) return;
    this.concluded = true;
    this.stopRenewing();
    this.persist(
      (before, done) => this.removing(before, done),
      RETRIES,
      () => undefined,
    );
  }

  private persist(change: Change, tries: number, written: () => void): void {
    this.change(change, TRIES, (outcome) => {
      // A caller waits no longer for a store that is away; until it is back nobody can claim the key either.
      written();
      if (outcome !== 'unavailable' || tries === 0) return;
      this.services.timers.after(RETRY_MS, () => this.persist(change, tries - 1, written));
    });
  }

  private renewLater(): () => void {
    return this.services.timers.after(this.times.leaseMs / 3, () => this.renew());
  }

  private renew(): void {
    const { clock } = this.services;
    const renewed = writeRecord({ ...this.record, leaseUntil: clock.now() + this.times.leaseMs });
    this.change(this.replacing(renewed), TRIES, () => {
      if (!this.concluded) this.stopRenewing = this.renewLater();
    });
  }

  private replacing(value: Buffer): Change {
    return (before, done) =>
      this.services.store.replace(this.key, before, value, this.times.keepMs, (outcome) => {
        if (outcome !== 'replaced') return done(outcome);
        this.before = value;
        done('done');
      });
  }

  private removing(before: Buffer, done: (outcome: Outcome) => void): void {
    this.services.store.remove(this.key, before, (outcome) => done(outcome === 'removed' ? 'done' : outcome));
  }

  private change(change: Change, tries: number, done: (outcome: Outcome) => void): void {
    change(this.before, (outcome) => {
      if (outcome !== 'changed' || tries === 1) return done(outcome);
      this.services.store.get(this.key, (found) => {
        if (found === 'unavailable') return done('unavailable');
        const known = found && readRecord(found);
        // Somebody only wondered whether we are still there: the record is ours, and we are.
        if (known?.state !== 'running' || known.owner !== this.record.owner) return done('changed');
        this.before = found!;
        this.change(change, tries - 1, done);
      });
    });
  }
}
