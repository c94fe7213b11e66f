import { KEEP_ALIVE, streamFields, type AnsweredBy } from '../dialects/openai-chat/render';
import type { ChatClient } from './chat-call';

/**
 * The way back to the caller, which opens late: the head of a stream is held until the answer has content, because
 * until then another target may still answer in its place.
 */
export class AnswerGate {
  /** Status that was sent; 0: no head yet. */
  status = 0;
  bytesOut = 0;
  /** The caller's buffer is full. */
  full = false;

  constructor(private readonly client: ChatClient) {}

  /** An answer, or a refusal, in one piece. */
  sendWhole(status: number, fields: Readonly<Record<string, string>>, body: Buffer): void {
    this.sendHead(status, fields);
    this.write(body);
    this.client.end();
  }

  /** Opens the stream, unless silence has opened it already. */
  openStream(answer: AnsweredBy): void {
    if (this.status === 0) this.sendHead(200, streamFields(answer));
  }

  /** A comment is no part of the answer: fallback stays allowed. */
  keepAlive(answer: AnsweredBy): void {
    this.openStream(answer);
    this.write(KEEP_ALIVE);
  }

  /** @returns false when nothing more should come before the caller's buffer has drained. */
  write(bytes: Buffer): boolean {
    this.bytesOut += bytes.length;
    if (!this.client.data(bytes)) this.full = true;
    return !this.full;
  }

  endStream(last?: Buffer): void {
    if (last) this.write(last);
    this.client.end();
  }

  private sendHead(status: number, fields: Readonly<Record<string, string>>): void {
    this.status = status;
    this.client.head(status, fields);
  }
}
