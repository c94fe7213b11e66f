import { connect, type NetConnectOpts } from 'node:net';
import { idOfAnswer, WireReader, WireWriter, type Clock } from '@sallyport/contracts';
import { Breaker, HEADROOM, MessageConnection } from '@sallyport/platform';
import { Consult, NOT_YET_SENT, type Silence } from './consult';
import { hostAndPort } from './replicas';
import { UnderWay } from './under-way';

/** How one service's `Decide` is spoken. In every reply field 1 is an answer, and field 1 of an answer is its id. */
export interface DecideProtocol {
  readonly path: string;
  /** Writes a question that any version answers and that decides nothing. */
  probe(writer: WireWriter, id: number): void;
  /** Writes what every message begins with. */
  begin?(writer: WireWriter): void;
  /**
   * Takes what a reply says beside its answers, before these are given out; must read or skip the field.
   * @param leaving the service ends: what it counts now it counts among those who are left.
   */
  beside?(tag: number, reader: WireReader, leaving: boolean): void;
  /** Send a message without a question as soon as the stream stands: the service counts who is connected. */
  readonly greets?: boolean;
}

export interface StreamHost {
  readonly clock: Clock;
  /** From 0 up to 1: jitter. */
  readonly chance: () => number;
  /** How long a probe may take. */
  readonly budgetMs: number;
  onStateChange(): void;
  /** A consult was sent: its patience begins. */
  onSent(consult: Consult, now: number): void;
  /** No answer to it is owed any more, at least for now: its patience ends. */
  onHeard(consult: Consult): void;
  /** A consult of this stream has begun. */
  onBegin(): void;
  /** And has ended, however it did. */
  onEnd(): void;
  /** A message of answers came; the one it began with had left at that moment. */
  onReply(sentAt: number): void;
  /** An answer came that nobody waits for any more. */
  onLate(): void;
  onFailure(address: string, detail: string): void;
  /** What was to go on after an answer failed. */
  onDefect(error: unknown): void;
  /** The stream is retired and has nothing more to do. */
  onGone(stream: DecideStream): void;
}

const CONNECT_MS = 2_000;
/** What the probe may take that is asked first of all. */
const FIRST_ANSWER_MS = 1_000;
/** Full jitter: a pause of 0 up to this, doubled with each failure in a row. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
/** One message stays far below the 4 MiB a peer takes. */
const BATCH_BYTES = 512 * 1024;
/** What may wait for a peer that does not read. */
const QUEUE_BYTES = 8 * 1024 * 1024;
/** With so much in the queue, whoever sends a body should wait. */
const HURRY_BYTES = 1024 * 1024;
const MAX_REPLY_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 64 * 1024;

/**
 * The long-lived stream to one replica. What is asked in one turn of the event loop is written into one message as it is
 * asked, and leaves when the turn ends; answers find their question by id. While the peer does not read, questions wait
 * in a bounded queue. When the stream breaks, everybody waiting is told at once and a new one is tried after a random
 * pause.
 */
export class DecideStream {
  /** New with every connection: what the peer can be expected to remember hangs on it. */
  session: object = {};

  private readonly waiting = new UnderWay();
  private readonly breaker: Breaker;
  private readonly reader = new WireReader();
  private connection: MessageConnection | undefined;
  private isUp = false;
  /** The peer has asked for an end: it is asked nothing new, and left when it has answered. */
  private leaving = false;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private retired = false;

  /** The message that is being written, and those that are full and wait. */
  private readonly writer = new WireWriter();
  private full: Buffer[] = [];
  private fullBytes = 0;
  /** Consults whose time begins when what is written now leaves. */
  private unsent: Consult[] = [];
  private flushing = false;
  private clogged = false;
  private unclogged: (() => void)[] = [];

  constructor(
    /** `host:port` or `unix:/path`. */
    readonly address: string,
    private readonly protocol: DecideProtocol,
    private readonly host: StreamHost,
  ) {
    this.breaker = new Breaker({
      clock: host.clock,
      chance: host.chance,
      probe: () => this.probe(host.budgetMs),
      changed: () => host.onStateChange(),
    });
    this.connect();
  }

  /** Connected, and answering in time as far as is known. */
  get up(): boolean {
    return this.isUp && !this.leaving && !this.retired && !this.breaker.open;
  }

  /** Consults that are owed an answer. */
  get outstanding(): number {
    return this.waiting.size;
  }

  begin(consult: Consult, budgetMs: number): void {
    consult.stream = this;
    this.waiting.enter(consult);
    this.host.onBegin();
    this.due(consult, budgetMs);
  }

  /** The next answer is due within `budgetMs` of the moment what is written now leaves. */
  due(consult: Consult, budgetMs: number): void {
    consult.budgetMs = budgetMs;
    this.host.onHeard(consult);
    consult.expires = NOT_YET_SENT;
    this.unsent.push(consult);
    this.flushSoon();
  }

  /** No answer is owed to this consult until it asks for the next. */
  heard(consult: Consult): void {
    this.host.onHeard(consult);
    consult.expires = 0;
  }

  /** Nothing more is owed to this consult. */
  end(consult: Consult): void {
    if (!this.waiting.leave(consult)) return;
    this.heard(consult);
    this.host.onEnd();
    if (this.waiting.size > 0) return;
    if (this.retired) this.disconnect();
    else if (this.leaving) setImmediate(this.left);
  }

  /** The answer to a consult did not come in time; it is not asked again. */
  giveUp(consult: Consult): void {
    this.end(consult);
    this.breaker.missed();
    consult.unanswered('slow');
  }

  /**
   * Writes a question among the others of this turn.
   * @param always also when the queue is full: for those who ask `isClogged` after each and then wait.
   * @returns false when the stream is gone or the peer has not read for so long that the queue is full.
   */
  send<One, Two>(
    write: (writer: WireWriter, id: number, one: One, two: Two) => void,
    id: number,
    one: One,
    two: Two,
    always = false,
  ): boolean {
    const { writer } = this;
    if (!this.isUp || (!always && this.queued > QUEUE_BYTES)) return false;
    if (writer.length === 0) this.protocol.begin?.(writer);
    const before = writer.length;
    try {
      write(writer, id, one, two);
    } catch (error) {
      // One question that cannot be written must not take the others of its turn with it.
      writer.truncate(before);
      this.host.onDefect(error);
      return false;
    }
    if (writer.length >= BATCH_BYTES) this.seal();
    this.flushSoon();
    return true;
  }

  /** Whether the peer reads more slowly than is written. */
  get isClogged(): boolean {
    return this.clogged || this.queued > HURRY_BYTES;
  }

  private get queued(): number {
    return this.fullBytes + this.writer.length;
  }

  /** Runs once when the peer reads again, or is gone. */
  whenUnclogged(go: () => void): void {
    this.unclogged.push(go);
  }

  /** Takes no new consults, and closes when the last one has ended. */
  retire(): void {
    this.retired = true;
    clearTimeout(this.timer);
    if (this.waiting.size === 0) this.disconnect();
    this.host.onStateChange();
  }

  /** Closes now; everybody waiting hears `down`. */
  close(): void {
    this.retired = true;
    clearTimeout(this.timer);
    this.silence('down');
    this.disconnect();
  }

  private connect(): void {
    let connection: MessageConnection | undefined;
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (count: number): boolean => {
      connection?.received(buffer.subarray(0, count));
      return true;
    };
    // The buffer is used again for every read: what is received is read where it lies.
    const options = { ...placeOf(this.address), highWaterMark: 256 * 1024, onread: { buffer, callback } };
    const socket = connect(options as unknown as NetConnectOpts);
    connection = new MessageConnection(
      socket,
      'client',
      {
        ready: () => this.stand(connection!),
        opened: () => {},
        // What comes on a connection that was left is meant for nobody.
        message: (bytes) => {
          if (this.connection === connection) this.receive(bytes);
        },
        drain: () => {
          if (this.connection === connection) this.unclog();
        },
        leaving: () => this.leave(connection!),
        ended: () => {},
        lost: (detail) => this.lose(connection!, detail),
      },
      MAX_REPLY_BYTES,
    );
    this.connection = connection;
    socket.once('connect', () => connection.begin(this.protocol.path, 'sallyport'));
    this.timer = setTimeout(() => this.lose(connection, 'no connection in time'), CONNECT_MS).unref();
  }

  private leave(connection: MessageConnection): void {
    if (this.connection !== connection) return;
    this.leaving = true;
    this.host.onStateChange();
    if (this.waiting.size === 0) setImmediate(this.left);
  }

  private readonly left = (): void => {
    if (this.leaving && this.waiting.size === 0 && this.connection) this.lose(this.connection, 'the peer goes away');
  };

  private stand(connection: MessageConnection): void {
    if (this.connection !== connection) return;
    clearTimeout(this.timer);
    this.isUp = true;
    this.session = {};
    this.breaker.reset();
    if (this.protocol.greets) {
      this.protocol.begin?.(this.writer);
      this.flushSoon();
    }
    // So the first request does not pay, within its deadline, for code that has never run, here and there.
    this.probe(FIRST_ANSWER_MS);
    this.host.onStateChange();
  }

  private receive(message: Buffer): void {
    this.failures = 0;
    const { reader, protocol } = this;
    reader.start(message);
    if (protocol.beside) this.takeBeside(reader, protocol);
    reader.at = 0;
    let first = true;
    while (reader.more) {
      const tag = reader.varint();
      if (tag !== ANSWER) {
        reader.skip(tag);
        continue;
      }
      const end = reader.nested();
      const consult = this.waiting.find(idOfAnswer(reader, end));
      if (!consult) this.host.onLate();
      else {
        if (first) this.host.onReply(consult.sentAt);
        first = false;
        this.hand(consult, end);
      }
      reader.at = end;
    }
  }

  private takeBeside(reader: WireReader, protocol: DecideProtocol): void {
    while (reader.more) {
      const tag = reader.varint();
      if (tag === ANSWER) reader.skip(tag);
      else protocol.beside!(tag, reader, this.leaving);
    }
  }

  private hand(consult: Consult, end: number): void {
    try {
      consult.answered(this.reader, end);
    } catch (error) {
      if (error instanceof RangeError && this.waiting.find(consult.id)) throw error;
      this.host.onDefect(error);
    }
  }

  private lose(connection: MessageConnection, detail: string): void {
    if (this.connection !== connection) return;
    this.disconnect();
    this.host.onFailure(this.address, detail);
    this.host.onStateChange();
    this.silence('down');
    if (this.retired) return;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++);
    this.timer = setTimeout(() => this.connect(), this.host.chance() * pause).unref();
  }

  private disconnect(): void {
    const { connection, isUp } = this;
    this.connection = undefined;
    this.isUp = false;
    this.leaving = false;
    clearTimeout(this.timer);
    this.breaker.close();
    this.writer.truncate(0);
    this.full = [];
    this.fullBytes = 0;
    this.clogged = false;
    this.letGo();
    if (isUp) connection?.end();
    else connection?.destroy();
    if (this.retired) this.host.onGone(this);
  }

  private silence(why: Silence): void {
    for (const consult of this.waiting) {
      this.end(consult);
      consult.unanswered(why);
    }
  }

  private readonly writeProbe = (writer: WireWriter, id: number): void => this.protocol.probe(writer, id);

  private probe(budgetMs: number): void {
    if (!this.isUp) return;
    const probe = new Probe(this.breaker);
    this.begin(probe, budgetMs);
    if (!this.send(this.writeProbe, probe.id, undefined, undefined)) this.end(probe);
  }

  private flushSoon(): void {
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(this.flush);
  }

  /** Also while the peer does not read: to wait for it counts as waiting for its answer. */
  private readonly flush = (): void => {
    this.flushing = false;
    if (this.unsent.length > 0) this.startWaiting();
    while (!this.clogged && this.connection && (this.fullBytes > 0 || this.writer.length > 0)) {
      if (this.fullBytes === 0) this.seal();
      const message = this.full.shift()!;
      this.fullBytes -= message.length;
      if (!this.connection.send(message)) this.clogged = true;
    }
    if (!this.clogged && this.unclogged.length > 0) this.letGo();
  };

  private startWaiting(): void {
    const now = this.host.clock.monotonic();
    const { unsent } = this;
    this.unsent = [];
    for (const consult of unsent) {
      if (consult.expires !== NOT_YET_SENT) continue;
      consult.sentAt = now;
      this.host.onSent(consult, now);
    }
  }

  private seal(): void {
    const message = this.writer.take(HEADROOM);
    this.full.push(message);
    this.fullBytes += message.length;
  }

  private unclog(): void {
    if (!this.clogged) return;
    this.clogged = false;
    this.flushSoon();
  }

  private letGo(): void {
    const { unclogged } = this;
    this.unclogged = [];
    for (const go of unclogged) go();
  }
}

/** `repeated Answer answers = 1` of every reply. */
const ANSWER = 0x0a;

class Probe extends Consult {
  constructor(private readonly breaker: Breaker) {
    super();
  }

  answered(): void {
    this.stream!.end(this);
    this.breaker.answered();
  }

  unanswered(): void {}
}

function placeOf(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith('unix:')) return { path: address.slice('unix:'.length) };
  const { host, port } = hostAndPort(address);
  return { host, port: Number(port) };
}
