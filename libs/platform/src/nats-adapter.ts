import { setTimeout as pause } from 'node:timers/promises';
import { bucketAges, streams, type StreamName } from '@sallyport/contracts';
import {
  AckPolicy,
  connect,
  DeliverPolicy,
  DiscardPolicy,
  Events,
  nanos,
  NatsError,
  RetentionPolicy,
  StorageType,
  type ConnectionOptions,
  type ConsumerMessages,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  type KV,
  type NatsConnection,
} from 'nats';
import {
  BusUnavailable,
  retry,
  TooLargeForBus,
  type Bus,
  type BusLogger,
  type BusMessage,
  type ConsumeOptions,
  type Kv,
  type PublishOptions,
  type Subscription,
  type Verdict,
} from './bus';
import { Attempts } from './announcing';
import { fromHeaders, toHeaders, withoutOwn } from './nats-headers';
import { NatsKv } from './nats-kv';
import { NatsListeners } from './nats-listeners';
import { apiCode, Backoff, CONSUMER_NOT_FOUND, isMissing, reasonOf, STREAM_NOT_FOUND, withRepair } from './nats-repair';
import {
  consumerLimits,
  deadLetter,
  messageBytes,
  requireFits,
  requireName,
  requirePattern,
  requireSubject,
  streamOf,
} from './bus-rules';
import { keepTrying } from './keep-trying';
import type { NatsBusOptions } from './nats-bus';

const CONNECT_TIMEOUT_MS = 3_000;
const PUBLISH_TIMEOUT_MS = 5_000;
/** How long one request for messages waits at the server. */
const PULL_MS = 5_000;
/** Servers in the URL from which on streams are kept on three of them. */
const CLUSTER_SIZE = 3;

type Handler = (message: BusMessage) => Promise<Verdict>;

/** What `connectNatsBus` does once the client is loaded. */
export async function openNatsBus({ url, name, logger, connectLimitMs }: NatsBusOptions): Promise<Bus> {
  const target = parseServers(url);
  return keepTrying({
    target: `NATS at ${target.servers.join(', ')}`,
    logger,
    limitMs: connectLimitMs,
    reason: reasonOf,
    attempt: async () => {
      const connection = await connect({ ...target, ...connectionOptions, name });
      try {
        const manager = await connection.jetstreamManager();
        const bus = new NatsBus(connection, manager, target.servers.length >= CLUSTER_SIZE ? 3 : 1, logger);
        await bus.ensureStreams();
        bus.listenToConnection();
        return bus;
      } catch (error) {
        await connection.close();
        throw error;
      }
    },
  });
}

const connectionOptions: ConnectionOptions = {
  timeout: CONNECT_TIMEOUT_MS,
  reconnect: true,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 500,
  reconnectJitter: 500,
  // A password that is being replaced must not end what should come back by itself.
  ignoreAuthErrorAbort: true,
  pingInterval: 10_000,
};

/** The client takes no credentials in its addresses, and an address may stand in a log: they part here. */
function parseServers(url: string): Pick<ConnectionOptions, 'user' | 'pass' | 'token' | 'tls'> & { servers: string[] } {
  const parsed = url.split(',').map((part) => {
    const text = part.trim();
    return new URL(text.includes('://') ? text : `nats://${text}`);
  });
  const { username, password } = parsed[0]!;
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
  const credentials = pass ? { user, pass } : user ? { token: user } : {};
  const tls = parsed.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {};
  return { servers: parsed.map(({ host }) => host), ...credentials, ...tls };
}

class NatsBus implements Bus {
  private readonly jetstream: JetStreamClient;
  private readonly listeners: NatsListeners;
  private readonly buckets = new Map<string, Promise<NatsKv>>();
  private readonly running = new Set<Subscription>();
  private readonly onReconnect = new Set<() => void>();
  private connected = true;
  private detail = '';
  private draining: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly connection: NatsConnection,
    readonly manager: JetStreamManager,
    readonly replicas: number,
    readonly logger: BusLogger,
  ) {
    this.jetstream = connection.jetstream();
    this.listeners = new NatsListeners(connection);
    this.detail = `connected to ${connection.getServer()}`;
  }

  /** Makes what is missing; streams that exist keep the operator's changes except for their subjects. */
  async ensureStreams(): Promise<void> {
    for (const name of Object.keys(streams) as StreamName[]) await this.ensureStream(name);
  }

  private async ensureStream(name: StreamName): Promise<void> {
    const { maxAgeMs, maxBytes, ...row }: { subjects: readonly string[]; maxAgeMs: number; maxBytes?: number } =
      streams[name];
    const subjects = [...row.subjects];
    try {
      const { config } = await this.manager.streams.info(name);
      if (config.subjects?.join() !== subjects.join()) await this.manager.streams.update(name, { subjects });
    } catch (error) {
      if (apiCode(error) !== STREAM_NOT_FOUND) throw error;
      await this.manager.streams.add({
        name,
        subjects,
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.Old,
        num_replicas: this.replicas,
        max_age: nanos(maxAgeMs),
        max_bytes: maxBytes ?? -1,
      });
    }
  }

  /** Follows the state of the connection until it is closed. */
  listenToConnection(): void {
    void (async () => {
      for await (const { type, data: about } of this.connection.status()) {
        const data = typeof about === 'string' ? about : JSON.stringify(about);
        if (type === Events.Disconnect) {
          this.connected = false;
          this.detail = `no connection to ${data}; reconnecting`;
          this.logger.warn({ server: data }, 'the connection to NATS is lost; reconnecting');
        } else if (type === Events.Reconnect) {
          this.connected = true;
          this.detail = `connected to ${data}`;
          this.logger.info({ server: data }, 'connected to NATS again');
          for (const run of this.onReconnect) run();
        } else if (type === Events.Error) {
          this.logger.warn({ reason: data }, 'NATS reports an error');
        }
      }
    })();
    void this.connection.closed().then((error) => {
      this.connected = false;
      this.detail = 'closed';
      if (error) this.logger.error({ reason: reasonOf(error) }, 'the connection to NATS ended for good');
    });
  }

  /** Runs on every reconnect. @returns stops that. */
  reconnected(run: () => void): () => void {
    this.onReconnect.add(run);
    return () => this.onReconnect.delete(run);
  }

  async publish(subject: string, data: Uint8Array, options: PublishOptions = {}): Promise<void> {
    const name = streamOf(subject);
    if (!name) return this.send(subject, data, options);
    this.requireSendable(subject, data, options);
    const headers = toHeaders(options.headers);
    const send = () =>
      this.jetstream.publish(subject, data, { msgID: options.id, headers, timeout: PUBLISH_TIMEOUT_MS });
    try {
      await withRepair(send, () => this.ensureStream(name));
    } catch (error) {
      throw this.refusalOf(error, subject, data, options);
    }
  }

  /** Hands a message to the client; nobody says whether it has arrived. */
  private send(subject: string, data: Uint8Array, options: PublishOptions = {}, reply?: string): void {
    this.requireSendable(subject, data, options);
    try {
      this.connection.publish(subject, data, { headers: toHeaders(options.headers), ...(reply && { reply }) });
    } catch (error) {
      throw this.refusalOf(error, subject, data, options);
    }
  }

  private requireSendable(subject: string, data: Uint8Array, options: PublishOptions): void {
    requireSubject(subject);
    requireFits(subject, data, options);
    this.requireConnection();
  }

  /** A server may be set to less than our limit. */
  private refusalOf(error: unknown, subject: string, data: Uint8Array, options: PublishOptions): unknown {
    if (!(error instanceof NatsError) || error.code !== 'MAX_PAYLOAD_EXCEEDED') return error;
    return new TooLargeForBus(subject, messageBytes(data, options), this.connection.info?.max_payload);
  }

  /** The first of each subject is sent in any case: what becomes of it tells whether the others have to be. */
  async announce<Item>(
    items: readonly Item[],
    subjectOf: (item: Item) => string,
    dataOf: (item: Item) => Uint8Array,
  ): Promise<void> {
    if (items.length === 0) return;
    this.requireConnection();
    const survey = this.listeners.survey();
    const attempts = new Attempts();
    try {
      for (const item of items) {
        const subject = subjectOf(item);
        if (survey.isOpen(subject)) await survey.settle();
        if (!survey.isHeard(subject)) continue;
        attempts.make(() => survey.send(subject, (reply) => this.send(subject, dataOf(item), {}, reply)));
      }
    } finally {
      survey.end();
    }
    attempts.requireAll();
  }

  async consume(
    stream: StreamName,
    durable: string,
    handler: Handler,
    options?: ConsumeOptions,
  ): Promise<Subscription> {
    requireName(durable);
    this.requireConnection();
    const consumer = new Consumer(this, this.jetstream, stream, durable, handler, options);
    await withRepair(
      () => consumer.ensure(),
      () => this.ensureStream(stream),
    );
    consumer.start();
    return this.track(consumer);
  }

  async subscribe(subject: string, handler: (message: BusMessage) => void): Promise<Subscription> {
    requirePattern(subject);
    this.requireConnection();
    const subscription = this.connection.subscribe(subject, {
      callback: (error, { subject: from, data, headers }) => {
        if (error) this.logger.error({ err: error }, `cannot listen to ${subject}`);
        else {
          const message = { subject: from, data, headers: fromHeaders(headers), deliveries: 1 };
          this.guard(`listening to ${subject}`, () => handler(message));
        }
      },
    });
    try {
      // The server knows of it when it has answered what was sent after it.
      await this.connection.flush();
    } catch (error) {
      // The client would make it anew when it is connected again, for nobody.
      subscription.unsubscribe();
      throw new BusUnavailable(`the bus did not take a subscription: ${reasonOf(error)}`);
    }
    return { stop: async () => subscription.unsubscribe() };
  }

  kv(bucket: string): Promise<Kv> {
    const known = this.buckets.get(bucket);
    if (known) return known;
    const opening = this.openBucket(bucket);
    this.buckets.set(bucket, opening);
    opening.catch(() => this.buckets.delete(bucket));
    return opening;
  }

  private async openBucket(bucket: string): Promise<NatsKv> {
    requireName(bucket);
    this.requireConnection();
    const kv = new NatsKv(bucket, this);
    await kv.open();
    return kv;
  }

  /** Opens the bucket in the client's terms, making it when it is missing. */
  view(bucket: string): Promise<KV> {
    const ttl = bucketAges[bucket];
    return this.jetstream.views.kv(bucket, {
      history: 1,
      storage: StorageType.File,
      replicas: this.replicas,
      ...(ttl !== undefined && { ttl }),
    });
  }

  health(): { readonly connected: boolean; readonly detail: string } {
    return { connected: this.connected && !this.closed, detail: this.detail };
  }

  drain(): Promise<void> {
    this.draining ??= this.close();
    return this.draining;
  }

  private async close(): Promise<void> {
    await Promise.all([...this.running].map((subscription) => subscription.stop()));
    this.closed = true;
    // What was acknowledged last is still on its way out; without a connection it has no way out.
    if (this.connected) await this.connection.drain();
    else await this.connection.close();
  }

  async bury(
    message: BusMessage,
    stream: StreamName,
    sequence: number,
    durable: string,
    reason: string,
  ): Promise<void> {
    const { subject, deliveries } = message;
    // A dead letter that its own reader gives up is only logged: it would come back to that reader for ever.
    if (stream !== 'SALLYPORT_DEAD') {
      const letter = deadLetter(message, durable, reason, `${stream}:${durable}:${sequence}`);
      await this.publish(letter.subject, letter.data, letter.options);
    }
    this.logger.error(
      { stream, durable, subject, deliveries, reason },
      'a message is dead; it is kept in SALLYPORT_DEAD',
    );
  }

  /** A handler's bug is told and does not stop what others get. */
  guard(doing: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.logger.error({ err: error }, `failed while ${doing}`);
    }
  }

  /** Remembers what has to be stopped before the connection goes. */
  track(subscription: Subscription): Subscription {
    this.running.add(subscription);
    return {
      stop: async () => {
        this.running.delete(subscription);
        await subscription.stop();
      },
    };
  }

  requireConnection(): void {
    if (this.closed) throw new BusUnavailable('the bus is closed');
    // The client would keep what is published meanwhile in memory, without bound.
    if (!this.connected) throw new BusUnavailable(`the bus has ${this.detail}`);
  }
}

/** Our share of a durable pull consumer: asks for as many messages as it may still have without a verdict. */
class Consumer implements Subscription {
  private readonly limits: Required<ConsumeOptions>;
  private readonly running = new Set<Promise<void>>();
  private readonly backoff = new Backoff();
  private pulling: ConsumerMessages | undefined;
  private loop: Promise<void> = Promise.resolve();
  private stopped = false;
  private forgetReconnects: () => void = () => undefined;

  constructor(
    private readonly bus: NatsBus,
    private readonly jetstream: JetStreamClient,
    private readonly stream: StreamName,
    private readonly durable: string,
    private readonly handler: Handler,
    options?: ConsumeOptions,
  ) {
    this.limits = consumerLimits(options);
  }

  /** Makes the durable, or brings an existing one to our limits. */
  async ensure(): Promise<void> {
    const { consumers } = this.bus.manager;
    const wanted = { ack_wait: nanos(this.limits.ackWaitMs), max_ack_pending: this.limits.maxUnacknowledged };
    try {
      const { config } = await consumers.info(this.stream, this.durable);
      if (config.ack_wait === wanted.ack_wait && config.max_ack_pending === wanted.max_ack_pending) return;
      await consumers.update(this.stream, this.durable, wanted);
    } catch (error) {
      if (apiCode(error) !== CONSUMER_NOT_FOUND) throw error;
      await consumers.add(this.stream, {
        durable_name: this.durable,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        // The server would give a message up in silence: counting to the limit is ours, so that it gets its letter.
        max_deliver: -1,
        ...wanted,
      });
    }
  }

  start(): void {
    // A request that was waiting at the server is lost with the connection.
    this.forgetReconnects = this.bus.reconnected(() => void this.pulling?.close());
    this.loop = this.pullUntilStopped();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.forgetReconnects();
    this.backoff.stop();
    void this.pulling?.close();
    await this.loop;
    // A handler without a verdict after the ack wait has lost its message anyway.
    const limit = pause(this.limits.ackWaitMs, undefined, { ref: false });
    await Promise.race([Promise.allSettled(this.running), limit]);
  }

  private async pullUntilStopped(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.pull();
        this.backoff.reset();
      } catch (error) {
        if (this.stopped) return;
        this.bus.logger.warn(
          { stream: this.stream, durable: this.durable, reason: reasonOf(error) },
          'consuming is interrupted',
        );
        await this.backoff.wait();
        if (isMissing(error)) await this.repair();
      }
    }
  }

  private async repair(): Promise<void> {
    try {
      await this.bus.ensureStreams();
      await this.ensure();
    } catch {
      // The next pull fails and says so.
    }
  }

  private async pull(): Promise<void> {
    const free = this.limits.maxUnacknowledged - this.running.size;
    if (free <= 0) {
      await Promise.race(this.running);
      return;
    }
    const consumer = await this.jetstream.consumers.get(this.stream, this.durable);
    this.pulling = await consumer.fetch({ max_messages: free, expires: PULL_MS });
    // It closes only while it is iterated: never wait for that before.
    if (this.stopped) void this.pulling.close();
    for await (const message of this.pulling) this.deliver(message);
  }

  private deliver(message: JsMsg): void {
    const run = this.judge(message).catch((error: unknown) => {
      // Without a verdict the server delivers it again.
      this.bus.logger.error({ err: error }, `failed while burying a message of ${this.durable}`);
    });
    this.running.add(run);
    void run.finally(() => this.running.delete(run));
  }

  private async judge(given: JsMsg): Promise<void> {
    const deliveries = given.info.redeliveryCount;
    const { subject, data } = given;
    const message: BusMessage = { subject, data, headers: withoutOwn(fromHeaders(given.headers)), deliveries };
    const { maxDeliveries } = this.limits;
    if (deliveries > maxDeliveries) {
      await this.bury(given, message, `no verdict after ${maxDeliveries} deliveries`);
      return;
    }
    const verdict = await this.run(message);
    if (verdict.verdict === 'ack') given.ack();
    else if (verdict.verdict === 'dead') await this.bury(given, message, verdict.reason);
    else if (deliveries >= maxDeliveries) await this.bury(given, message, `given up after ${deliveries} deliveries`);
    else given.nak(Math.max(1, verdict.afterMs));
  }

  private async run(message: BusMessage): Promise<Verdict> {
    try {
      return await this.handler(message);
    } catch (error) {
      this.bus.logger.error({ err: error }, `failed while handling ${message.subject} for ${this.durable}`);
      return retry(1000);
    }
  }

  private async bury(given: JsMsg, message: BusMessage, reason: string): Promise<void> {
    await this.bus.bury(message, this.stream, given.seq, this.durable, reason);
    given.ack();
  }
}
