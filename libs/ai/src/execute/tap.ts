import type { Usage } from '../usage';

/** What one event of a stream is, to whoever passes it on. */
export type Tapped =
  /** Before the answer proper: a role, a ping, a comment. */
  | 'prelude'
  /** Part of the answer: from here on no other target may answer. */
  | 'content'
  /** Carries usage and nothing else. */
  | 'usage'
  /** The end marker. */
  | 'done'
  /** The provider gives up, after a head that said 200. */
  | 'error';

/** Stands beside the pipe and reads what billing and failing over hang on; it never changes a byte. */
export interface Tap {
  /** The last usage reported: it may come on its own, or be repeated with every event. */
  readonly usage: Usage | undefined;
  /** An estimate of what came and is in no usage reported so far. */
  readonly uncoveredTokens: number;
  /** Every answer asked for said why it ended: it is complete, whether or not an end marker follows. */
  readonly finished: boolean;
  read(event: Buffer): Tapped;
}

/** What an answer in one piece says. */
export interface WholeAnswer {
  readonly usage: Usage | undefined;
  /** Bytes of the answer proper, for an estimate. */
  readonly contentBytes: number;
}
