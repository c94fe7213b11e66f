import { WireReader, WireWriter } from '@sallyport/contracts';
import type { DecideCall } from './decide-server';
import { HEADROOM } from './message-connection';

/** A reply that has grown beyond this goes out, and the next answers go into another. */
const REPLY_BYTES = 512 * 1024;

/**
 * The replies of one `Decide` stream. Answers are written into one message as they are given and leave together: those
 * given while a batch is read when it has been read, later ones when the turn of the event loop ends. No timer is added.
 */
export class Replies {
  private readonly writer = new WireWriter();
  private open = true;
  private reading = false;
  private due = false;

  constructor(
    private readonly call: DecideCall,
    /** Written at the end of each message. */
    private readonly closing?: (writer: WireWriter) => void,
  ) {}

  /**
   * Gives one answer, or says something that goes out without one.
   * @param write writes it: a field of the reply.
   */
  give<One, Two>(write: (writer: WireWriter, one: One, two: Two) => void, one: One, two: Two): void {
    if (!this.open) return;
    write(this.writer, one, two);
    if (this.writer.length >= REPLY_BYTES) this.send();
    else this.soon();
  }

  /** Sends what has gathered, and what `closing` writes, also when nothing has. */
  soon(): void {
    if (this.reading) this.due = true;
    else if (!this.due) {
      this.due = true;
      setImmediate(this.flush);
    }
  }

  /** Runs what reads a batch. */
  during(read: () => void): void {
    this.reading = true;
    try {
      read();
    } finally {
      this.reading = false;
      this.flush();
    }
  }

  /** Nobody hears answers any more. */
  close(): void {
    this.open = false;
    this.writer.truncate(0);
  }

  readonly flush = (): void => {
    if (!this.due) return;
    this.due = false;
    if (this.open) this.send();
  };

  private send(): void {
    this.closing?.(this.writer);
    const flows = this.call.writeRoomy
      ? this.call.writeRoomy(this.writer.take(HEADROOM))
      : this.call.write(this.writer.take());
    if (!flows) this.call.pause();
  }
}

/**
 * Serves one long-lived `Decide` stream. While the peer does not take answers (`write` says so) no further batch is read, so
 * that a slow peer holds memory for what it has asked, not for what it will ask. A batch that does not add up ends the
 * stream.
 * @param read is given each batch; what it reads of it in place holds until it returns.
 * @param left runs once, when the stream is over for whatever reason.
 */
export function serveDecide(
  call: DecideCall,
  replies: Replies,
  read: (reader: WireReader) => void,
  left: () => void,
): void {
  const reader = new WireReader();
  let over = false;
  const leave = (): void => {
    if (over) return;
    over = true;
    replies.close();
    left();
  };
  call.on('data', (message) => {
    if (over) return;
    try {
      replies.during(() => {
        reader.start(message);
        read(reader);
      });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      leave();
      call.end();
    }
  });
  call.on('drain', () => call.resume());
  // The peer asks nothing more. What this turn has answered still goes out; what is answered later has no reader.
  call.on('end', () => {
    replies.flush();
    leave();
    call.end();
  });
  for (const end of ['cancelled', 'error', 'close'] as const) call.on(end, leave);
}
