import type { PolicyServices } from '../../policy';
import type { Replaced } from '../../shared-store';
import { readRecord, writeRecord, type LedgerRecord } from './ledger-record';

/** How often the outcome is tried to be put down while the store does not answer. */
const RETRY_MS = 1_000;
const RETRIES = 600;

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
    this.put(writeRecord(outcome), RETRIES, tell);
  }

  /** It was not sent on: the key is as good as new. */
  release(): void {
    if (this.concluded) return;
    this.concluded = true;
    this.stopRenewing();
    this.services.store.delete(this.key);
  }

  private put(value: Buffer, tries: number, written: () => void): void {
    this.replace(value, (outcome) => {
      // A caller waits no longer for a store that is away; until it is back nobody can claim the key either.
      written();
      if (outcome !== 'unavailable' || tries === 0) return;
      this.services.timers.after(RETRY_MS, () => this.put(value, tries - 1, written));
    });
  }

  private renewLater(): () => void {
    return this.services.timers.after(this.times.leaseMs / 3, () => this.renew());
  }

  private renew(): void {
    const { clock } = this.services;
    this.replace(writeRecord({ ...this.record, leaseUntil: clock.now() + this.times.leaseMs }), () => {
      if (!this.concluded) this.stopRenewing = this.renewLater();
    });
  }

  private replace(value: Buffer, done: (outcome: Replaced) => void): void {
    const { store } = this.services;
    const put = (changed: () => void): void =>
      store.replace(this.key, this.before, value, this.times.keepMs, (outcome) => {
        if (outcome === 'changed') return changed();
        if (outcome === 'replaced') this.before = value;
        done(outcome);
      });
    put(() =>
      store.get(this.key, (found) => {
        if (found === 'unavailable') return done('unavailable');
        const known = found && readRecord(found);
        // Somebody only wondered whether we are still there: the record is ours, and we are.
        if (known?.state !== 'running' || known.owner !== this.record.owner) return done('changed');
        this.before = found!;
        put(() => done('changed'));
      }),
    );
  }
}
