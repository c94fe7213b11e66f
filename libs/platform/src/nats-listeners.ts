import { createInbox, type NatsConnection } from 'nats';
import { BusUnavailable } from './bus';

/** A connection that is half open answers nothing, and whoever announces waits. */
const ANSWER_MS = 2_000;
/** With ever other subjects in turn; what comes then is sent as if somebody listened. */
const MOST_ROUNDS = 32;
/** The status of an answer that the server itself sends. */
const NO_RESPONDERS = 503;

/**
 * Learns who listens from the only one who knows, the server: a message that nobody takes and that has an address for replies
 * is answered with status 503, ahead of the answers to all that was sent after it. It is there for requests; nobody replies
 * to what is asked about here. Where the server cannot say it, or does not know yet what others want of it that are connected
 * through gateways, somebody counts as listening.
 */
export class NatsListeners {
  private inbox: string | undefined;
  private messages = 0;
  private readonly unanswered = new Map<string, () => void>();

  constructor(private readonly connection: NatsConnection) {}

  survey(): Survey {
    const inbox = (this.inbox ??= this.listen());
    return new Survey(this.connection, this.unanswered, () => `${inbox}.${++this.messages}`);
  }

  private listen(): string {
    const inbox = createInbox();
    this.connection.subscribe(`${inbox}.*`, {
      callback: (_, { subject, headers }) => {
        if (headers?.code === NO_RESPONDERS) this.unanswered.get(subject)?.();
      },
    });
    return inbox;
  }
}

/** Asks about subjects by the first message of each, and keeps every message in its place. */
class Survey {
  /** Addresses for replies to messages that nobody has said anything about. */
  private readonly asked = new Map<string, string>();
  private readonly heard = new Map<string, boolean>();
  private rounds = 0;

  constructor(
    private readonly connection: NatsConnection,
    private readonly unanswered: Map<string, () => void>,
    private readonly address: () => string,
  ) {}

  /** Whether a message on this subject is on its way, and what became of it is to be waited for. */
  isOpen(subject: string): boolean {
    return this.asked.has(subject) && this.rounds < MOST_ROUNDS;
  }

  /** False only where the server has said that nobody listens, here or at any server that it is connected to. */
  isHeard(subject: string): boolean {
    return this.heard.get(subject) ?? true;
  }

  /** @param send gets an address for replies where the message is the first of its subject; nothing is asked where it throws. */
  send(subject: string, send: (reply: string | undefined) => void): void {
    if (this.asked.has(subject) || this.heard.has(subject)) return send(undefined);
    const reply = this.address();
    send(reply);
    this.asked.set(subject, reply);
    this.unanswered.set(reply, () => this.heard.set(subject, false));
  }

  /**
   * Resolves when the server has said what became of all that was sent.
   * @throws BusUnavailable when it has not answered within 2 s, or the connection is lost.
   */
  async settle(): Promise<void> {
    this.rounds++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the server has not answered within ${ANSWER_MS} ms`)), ANSWER_MS);
    });
    try {
      await Promise.race([this.connection.flush(), late]);
    } catch (error) {
      throw new BusUnavailable(`nobody knows who listens: ${(error as Error).message}`);
    } finally {
      clearTimeout(timer);
    }
    for (const subject of this.asked.keys()) if (!this.heard.has(subject)) this.heard.set(subject, true);
    this.end();
  }

  /** No answer is waited for any more. */
  end(): void {
    for (const reply of this.asked.values()) this.unanswered.delete(reply);
    this.asked.clear();
  }
}
