import type { Json } from '@sallyport/contracts';

/** One record on its way into the trail: an OCSF 1.8 document without what only the producer's chain can add. */
export interface AuditEvent {
  /** UUID version 7. It carries the moment the record is filed under, and makes delivery idempotent. */
  readonly uid: string;
  /** For example `request.completed`; two tokens, used as the end of a subject. */
  readonly kind: string;
  readonly tenant: string;
  /**
   * The document. The builders of `kinds.ts` lay its members out in sorted order, which spares the writer a sort; any
   * other order (as after a round trip through a database) gives the same bytes.
   */
  readonly body: { readonly [name: string]: Json | undefined };
}

/**
 * What became of one record. Both promises are made when they are first asked for, so that a record nobody waits
 * for costs none.
 */
export interface Receipt {
  readonly uid: string;
  /** Place in the chain, from 1; 0 when the spool was full and the record was refused. */
  readonly seq: number;
  /**
   * The kernel has the bytes: they survive the death of this process. Rejects with SpoolFull, within five seconds also
   * where the disk does not answer; a record that was taken is then still written once the disk lets it.
   */
  readonly written: Promise<void>;
  /** The disk has the bytes: they survive a power cut. Asking for it hurries the sync. Rejects as `written` does. */
  readonly durable: Promise<void>;
}

/** Where a process writes down what happened. */
export interface Trail {
  /** Takes the record over. Never throws and never waits. */
  append(event: AuditEvent): Receipt;
  /** False while the spool refuses ordinary records: a `regulated` route then answers AUDIT_UNAVAILABLE. */
  room(): boolean;
  /** Whether a change, control or finding of this uid lies in the part of the spool that is not yet trimmed. */
  has(uid: string): boolean;
  /** Writes and syncs what was appended. */
  close(): Promise<void>;
}

/** The spool has reached its limit, or the disk has, or it fails or does not answer. */
export class SpoolFull extends Error {
  constructor(readonly uid: string) {
    super(`the spool is full or its disk fails: it did not take the record ${uid}`);
    this.name = 'SpoolFull';
  }
}
