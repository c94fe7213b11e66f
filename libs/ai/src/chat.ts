import type { Scanned } from './body/scan';

/**
 * A chat request as dialects read it and wires need it: the bytes as they came, and what a scan noted of them. Dialect
 * and wire meet here and do not know each other.
 */
export interface ChatRequest {
  /** As it came. */
  readonly body: Buffer;
  readonly scanned: Scanned;
  /** Name of the virtual model. */
  readonly model: string;
  readonly stream: boolean;
  /** The client asked for the chunk that carries usage. */
  readonly includeUsage: boolean;
  /** The object under `stream_options`, where there is one. */
  readonly streamOptions: Scanned | undefined;
  /** The largest answer the client wants, in tokens; 0: it set no limit. */
  readonly maxOutputTokens: number;
  /** How many answers the client wants: 1 unless it says otherwise. */
  readonly choices: number;
}
