import { createInbox, type NatsConnection } from 'nats';
import { BusUnavailable } from './bus';

/** A connection that is half open answers nothing, and whoever announces waits. */
const ANSWER_MS = 2_000;
/** The status of an answer that the server itself sends. */
const NO_RESPONDERS = 503;

/**
 * Learns who listens from the only one who knows, the server: a message that nobody takes and that has an address for replies
 * is answered with status 503, ahead of the answers to all that was sent after it. It is there for requests; nobody replies
 * to what is asked about here. A server that cannot say it counts as having listeners for everything.
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

/** Asks about subjects by the first message of each. */
class Survey {
  private readonly deaf = new Set<string>();
  private readonly replies = new Map<string, string>();

  constructor(
    private readonly connection: NatsConnection,
    private readonly unanswered: Map<string, () => void>,
    private readonly address: () => string,
  ) {}

  /** @returns the address for replies to the first message of a subject; undefined for every other. */
  about(subject: string): string | undefined {
    if (this.replies.has(subject)) return undefined;
    const reply = this.address();
    this.replies.set(subject, reply);
    this.unanswered.set(reply, () => this.deaf.add(subject));
    return reply;
  }

  /**
   * Resolves when the server has said to which subjects nobody listens, at any of the servers that it is connected to.
   * @throws BusUnavailable when it has not answered within 2 s, or the connection is lost.
   */
  async end(): Promise<void> {
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
      for (const reply of this.replies.values()) this.unanswered.delete(reply);
    }
  }

  isHeard(subject: string): boolean {
    return !this.deaf.has(subject);
  }
}
