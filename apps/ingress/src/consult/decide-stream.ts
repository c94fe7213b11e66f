import { Client, connectivityState, credentials, type ClientDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '@sallyport/contracts';
import type { Consult, Silence } from './consult';

/** How one service's `Decide` is spoken. Codecs are the generated static ones. */
export interface DecideProtocol<Batch, Reply, Ask, Answer> {
  readonly method: {
    readonly path: string;
    readonly requestSerialize: (batch: Batch) => Buffer;
    readonly responseDeserialize: (bytes: Buffer) => Reply;
  };
  batch(asks: Ask[]): Batch;
  answers(reply: Reply): readonly Answer[];
  idOf(answer: Answer): number;
  /** What a reply says beside its answers; called before they are given out. */
  onReply?(reply: Reply): void;
  /** Send an empty batch as soon as the stream stands: the service counts who is connected. */
  readonly greets?: boolean;
}

export interface StreamHost<Ask, Answer> {
  readonly clock: Clock;
  /** From 0 up to 1: jitter. */
  readonly chance: () => number;
  onStateChange(): void;
  /** A consult of this stream has ended, however it did; `answered` says whether the service spoke. */
  onEnd(consult: Consult<Ask, Answer>, answered: boolean): void;
  /** An answer came that nobody waits for any more. */
  onLate(): void;
  onFailure(address: string, detail: string): void;
  /** The stream is retired and has nothing more to do. */
  onGone(stream: DecideStream<Ask, Answer>): void;
}

const CONNECT_MS = 2_000;
/** Full jitter: a pause of 0 up to this, doubled with each failure in a row. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** One message stays far below the 4 MiB a peer takes. */
const BATCH_BYTES = 512 * 1024;
/** What may wait for a peer that does not read. */
const QUEUE_BYTES = 8 * 1024 * 1024;

const channelOptions = {
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  // A connection belongs to one stream and ends with it.
  'grpc.use_local_subchannel_pool': 1,
};

/**
 * The long-lived stream to one replica. What is asked in one turn of the event loop leaves as one message; answers
 * find their question by id. While the peer does not read, questions wait in a bounded queue. When the stream breaks,
 * everybody waiting is told at once and a new one is tried after a random pause.
 */
export class DecideStream<Ask, Answer> {
  /** New with every connection: what the peer can be expected to remember hangs on it. */
  session: object = {};

  private readonly waiting = new Map<number, Consult<Ask, Answer>>();
  private client: Client | undefined;
  private call: ClientDuplexStream<Buffer, unknown> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private failures = 0;
  private lastId = 0;
  private retired = false;

  private queue: Ask[] = [];
  private sizes: number[] = [];
  private queuedBytes = 0;
  private flushing = false;
  private clogged = false;

  constructor(
    private readonly address: string,
    // The batch and reply types matter to nobody outside the protocol.
    private readonly protocol: DecideProtocol<any, any, Ask, Answer>, // eslint-disable-line @typescript-eslint/no-explicit-any
    private readonly host: StreamHost<Ask, Answer>,
  ) {
    this.connect();
  }

  get up(): boolean {
    return this.call !== undefined && !this.retired;
  }

  /** Consults that are owed an answer. */
  get outstanding(): number {
    return this.waiting.size;
  }

  begin(consult: Consult<Ask, Answer>): void {
    do this.lastId = (this.lastId + 1) >>> 0 || 1;
    while (this.waiting.has(this.lastId));
    consult.stream = this;
    consult.id = this.lastId;
    this.waiting.set(consult.id, consult);
  }

  /** Nothing more is owed to this consult. */
  end(consult: Consult<Ask, Answer>, answered = true): void {
    if (!this.waiting.delete(consult.id)) return;
    consult.expires = 0;
    this.host.onEnd(consult, answered);
    if (this.retired && this.waiting.size === 0) this.disconnect();
  }

  /**
   * Sends with the other questions of this turn.
   * @param bytes about how large the question is.
   * @returns false when the stream is gone or the peer has not read for so long that the queue is full.
   */
  send(ask: Ask, bytes: number): boolean {
    if (!this.call || this.queuedBytes + bytes > QUEUE_BYTES) return false;
    this.queue.push(ask);
    this.sizes.push(bytes);
    this.queuedBytes += bytes;
    this.flushSoon();
    return true;
  }

  /** Takes no new consults, and closes when the last one has ended. */
  retire(): void {
    this.retired = true;
    clearTimeout(this.retry);
    if (this.waiting.size === 0) this.disconnect();
    this.host.onStateChange();
  }

  /** Closes now; everybody waiting hears `down`. */
  close(): void {
    this.retired = true;
    clearTimeout(this.retry);
    this.silence('down');
    this.disconnect();
  }

  private connect(): void {
    const client = new Client(this.address, credentials.createInsecure(), channelOptions);
    this.client = client;
    const channel = client.getChannel();
    const deadline = Date.now() + CONNECT_MS;
    const look = (): void => {
      if (this.client !== client) return;
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return this.open(client);
      if (state === connectivityState.TRANSIENT_FAILURE) return this.lose(client, 'not reachable');
      channel.watchConnectivityState(state, deadline, (error) =>
        error ? this.lose(client, 'no connection in time') : look(),
      );
    };
    look();
  }

  private open(client: Client): void {
    const { method } = this.protocol;
    const call = client.makeBidiStreamRequest(method.path, asIs, method.responseDeserialize);
    this.call = call;
    this.session = {};
    call.on('data', (reply: unknown) => this.receive(reply));
    call.on('drain', () => this.unclog());
    call.on('error', (error: Error) => this.lose(client, error.message));
    call.on('status', ({ details }: { details: string }) => this.lose(client, details || 'the peer ended the stream'));
    if (this.protocol.greets) call.write(method.requestSerialize(this.protocol.batch([])));
    this.host.onStateChange();
  }

  private receive(reply: unknown): void {
    this.failures = 0;
    this.protocol.onReply?.(reply);
    for (const answer of this.protocol.answers(reply)) {
      const consult = this.waiting.get(this.protocol.idOf(answer));
      if (consult) consult.answered(answer);
      else this.host.onLate();
    }
  }

  private lose(client: Client, detail: string): void {
    if (this.client !== client) return;
    this.disconnect();
    this.host.onFailure(this.address, detail);
    this.host.onStateChange();
    this.silence('down');
    if (this.retired) return;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++);
    this.retry = setTimeout(() => this.connect(), this.host.chance() * pause).unref();
  }

  private disconnect(): void {
    const { client, call } = this;
    this.client = undefined;
    this.call = undefined;
    this.queue = [];
    this.sizes = [];
    this.queuedBytes = 0;
    this.clogged = false;
    call?.end();
    client?.close();
    // Ended politely, then dropped: a peer that hangs must not keep the connection.
    if (call) setImmediate(() => call.cancel());
    if (this.retired) this.host.onGone(this);
  }

  private silence(why: Silence): void {
    for (const consult of [...this.waiting.values()]) {
      this.end(consult, false);
      consult.unanswered(why);
    }
  }

  private flushSoon(): void {
    if (this.flushing || this.clogged) return;
    this.flushing = true;
    setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    this.flushing = false;
    while (this.queue.length > 0 && !this.clogged && this.call) {
      for (const message of this.encode(this.nextBatch())) {
        if (!this.call.write(message)) this.clogged = true;
      }
    }
  };

  private nextBatch(): Ask[] {
    let bytes = 0;
    let count = 0;
    while (count < this.queue.length && (count === 0 || bytes + this.sizes[count]! <= BATCH_BYTES))
      bytes += this.sizes[count++]!;
    this.queuedBytes -= bytes;
    this.sizes.splice(0, count);
    return this.queue.splice(0, count);
  }

  /** One question that cannot be written must not take the others of its turn with it; its deadline answers it. */
  private encode(asks: Ask[]): Buffer[] {
    try {
      return [this.protocol.method.requestSerialize(this.protocol.batch(asks))];
    } catch (error) {
      if (asks.length > 1) return asks.flatMap((ask) => this.encode([ask]));
      this.host.onFailure(this.address, `a question cannot be written: ${String(error)}`);
      return [];
    }
  }

  private unclog(): void {
    this.clogged = false;
    this.flushSoon();
  }
}

const asIs = (bytes: Buffer): Buffer => bytes;
