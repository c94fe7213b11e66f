import type { EjectionSettings } from '@sallyport/contracts';
import { SlidingCounts } from './sliding-counts';
import type { Verdict } from './verdict';

/** Latencies below this differ by chance, whatever their ratio. */
const FLOOR_MS = 20;
/** A mean of fewer calls says more about those calls than about the target. */
const FEWEST_CALLS = 5;
/** An ejection never lasts longer than so many times the first. */
const MOST_TIMES = 10;
/** How often latencies are compared and the ejected looked at. */
export const SWEEP_MS = 1_000;

/** What is known of one target; it outlives the detector that judges it. */
export class OutlierRecord {
  counts: SlidingCounts;
  inARow = 0;
  /** 0: not ejected. */
  ejectedUntil = 0;
  timesEjected = 0;
  /** When the last ejection ended, or was forgiven by one. */
  calmSince = 0;
  latencySum = 0;
  latencyCalls = 0;
  /** When the first and the last of the calls in the sum were answered. */
  latencyFrom = 0;
  latencyTo = 0;
  /** Mean of the last calls that were enough for one; 0: none, or none for so long that it says nothing any more. */
  latency = 0;
  /** The sweep that took the mean, or found that there were too few calls for one. */
  measuredAt = 0;
  /** 0: not slow. */
  slowSince = 0;

  constructor(windowMs: number) {
    this.counts = new SlidingCounts(windowMs);
  }
}

/** `ejected` and why, or `returned`. */
export type OutlierChange =
  | { readonly at: number; readonly change: 'ejected'; readonly reason: string; readonly forMs: number }
  | { readonly at: number; readonly change: 'returned' };

/**
 * Finds the targets of a group that fail or lag while the others do not, and takes them out for a while. None is taken
 * when with it more than the share the settings allow would be out, for whatever reason, nor the last. Times are milliseconds of a clock that does not run backwards, above 0.
 */
export class OutlierDetector {
  /**
   * @param records of the targets that take traffic
   * @param isOutAnyway whether a target takes no calls for a reason that is not known here
   */
  constructor(
    private readonly settings: EjectionSettings,
    private readonly records: readonly OutlierRecord[],
    private readonly isOutAnyway: (at: number) => boolean,
  ) {}

  isOut(at: number, now: number): boolean {
    return this.records[at]!.ejectedUntil > now;
  }

  /** @param latencyMs to the first byte of an answer */
  measure(at: number, latencyMs: number, now: number): void {
    const record = this.records[at]!;
    if (record.latencyCalls === 0) record.latencyFrom = now;
    record.latencyTo = now;
    record.latencySum += latencyMs;
    record.latencyCalls++;
  }

  observe(at: number, verdict: Verdict, now: number): OutlierChange | undefined {
    if (verdict === 'none') return undefined;
    const record = this.records[at]!;
    const failed = verdict !== 'ok';
    record.counts.add(now, failed);
    record.inARow = failed ? record.inARow + 1 : 0;
    if (!failed || record.ejectedUntil > 0) return undefined;

    const { consecutive, percent, minimum } = this.settings;
    if (consecutive > 0 && record.inARow >= consecutive)
      return this.eject(at, `${record.inARow} failures in a row`, now);
    const { calls, failures } = record.counts;
    if (percent === 0 || calls < minimum || failures * 100 <= calls * percent) return undefined;
    return this.eject(at, `${failures} of ${calls} calls failed`, now);
  }

  /** Compares latencies and brings back whose time is over. To be called about every `SWEEP_MS`. */
  sweep(now: number): OutlierChange[] {
    const changes: OutlierChange[] = [];
    for (let at = 0; at < this.records.length; at++) {
      const record = this.records[at]!;
      if (record.ejectedUntil > 0 && record.ejectedUntil <= now) changes.push(this.bringBack(at, now));
      else this.forgive(record, now);
    }
    this.average(now);
    const median = this.median();
    for (let at = 0; at < this.records.length; at++) {
      const change = this.judgeLatency(at, median, now);
      if (change) changes.push(change);
    }
    return changes;
  }

  private average(now: number): void {
    for (const record of this.records) {
      const enough = record.latencyCalls >= FEWEST_CALLS;
      if (!enough && now - record.measuredAt < this.settings.latencyForMs) continue;
      record.latency = enough ? record.latencySum / record.latencyCalls : 0;
      record.latencySum = record.latencyCalls = 0;
      record.measuredAt = now;
    }
  }

  /** Of the targets that are in and were measured; undefined for fewer than two, who have nobody to compare with. */
  private median(): number | undefined {
    const measured = this.records.filter(({ ejectedUntil, latency }) => ejectedUntil === 0 && latency > 0);
    if (measured.length < 2) return undefined;
    // Of an even number the lower one: of two targets, the slow one can then be told from the fast one.
    return measured.map(({ latency }) => latency).sort((left, right) => left - right)[(measured.length - 1) >> 1];
  }

  private judgeLatency(at: number, median: number | undefined, now: number): OutlierChange | undefined {
    const record = this.records[at]!;
    // What a mean has said once it does not say again by standing there.
    if (record.measuredAt !== now) return undefined;
    const { latencyTimes, latencyForMs } = this.settings;
    const slow =
      latencyTimes > 0 &&
      median !== undefined &&
      record.ejectedUntil === 0 &&
      record.latency > Math.max(FLOOR_MS, median * latencyTimes);
    if (!slow) {
      record.slowSince = 0;
      return undefined;
    }
    if (record.slowSince === 0) record.slowSince = record.latencyFrom;
    // For as long as calls say so: a pause is neither slow nor quick.
    if (record.latencyTo - record.slowSince < latencyForMs) return undefined;
    return this.eject(at, `${Math.round(record.latency)} ms where the group has ${Math.round(median)} ms`, now);
  }

  private eject(at: number, reason: string, now: number): OutlierChange | undefined {
    const out = this.records.filter(
      (other, one) => one !== at && (other.ejectedUntil > 0 || this.isOutAnyway(one)),
    ).length;
    const most = Math.min(Math.floor((this.records.length * this.settings.maxPercent) / 100), this.records.length - 1);
    if (out >= most) return undefined;
    const record = this.records[at]!;
    record.timesEjected = Math.min(record.timesEjected + 1, MOST_TIMES);
    const forMs = this.settings.baseMs * record.timesEjected;
    record.ejectedUntil = now + forMs;
    record.slowSince = 0;
    return { at, change: 'ejected', reason, forMs };
  }

  private bringBack(at: number, now: number): OutlierChange {
    const record = this.records[at]!;
    record.ejectedUntil = 0;
    record.calmSince = now;
    record.inARow = 0;
    record.latency = record.latencySum = record.latencyCalls = 0;
    record.counts.clear();
    return { at, change: 'returned' };
  }

  /** Who has been well for as long as its last ejection lasted has one less to its name. */
  private forgive(record: OutlierRecord, now: number): void {
    if (record.ejectedUntil > 0 || record.timesEjected === 0) return;
    if (now - record.calmSince < this.settings.baseMs * record.timesEjected) return;
    record.timesEjected--;
    record.calmSince = now;
  }
}
