// The load, in a process of its own so that nobody else's work makes its clock lie. Told what to do over the channel to its
// parent: first the plan, then `stop`; tells every row as it is done.
import { createHash } from 'node:crypto';
import { Agent, request, type IncomingMessage } from 'node:http';
import type { Plan, Row, Shot } from './ledger';
import { seededRandom } from './seeded-random';

/** Rows go to the parent in batches, so that the channel costs less than the load. */
const REPORT_MS = 100;
const TICK_MS = 2;

const now = (): number => performance.timeOrigin + performance.now();

class Generator {
  /** By door and address. */
  private readonly agents: Agent[][];
  private readonly doors: URL[];
  private readonly random: () => number;
  private readonly weights: number[];
  private rows: Row[] = [];
  private count = 0;
  private open = 0;
  private begun = 0;
  private readonly ticker: NodeJS.Timeout;
  private readonly reporter: NodeJS.Timeout;
  private stopped = false;

  constructor(private readonly plan: Plan) {
    this.doors = plan.doors.map((door) => new URL(door));
    this.agents = plan.doors.map(() => localAddresses(plan.addresses).map(agentFrom));
    this.random = seededRandom(plan.seed);
    let sum = 0;
    this.weights = plan.shots.map(({ weight }) => (sum += weight));
    this.begun = now();
    this.ticker = setInterval(() => this.fire(), TICK_MS);
    this.reporter = setInterval(() => this.report(), REPORT_MS);
  }

  /** Sends nothing more, and is over when every answer is here. */
  stop(): void {
    this.stopped = true;
    clearInterval(this.ticker);
    this.endWhenDone();
  }

  /** Open loop: what is due goes out, whether or not the answers to the rest have come. The first one is due at once. */
  private fire(): void {
    const { requestsPerSecond, atATime, seed } = this.plan;
    const due = atATime
      ? this.count + atATime - this.open
      : Math.floor(((now() - this.begun) / 1000) * requestsPerSecond) + 1;
    while (this.count < due) {
      const number = this.count++;
      const scheduled = atATime ? now() : this.begun + (number / requestsPerSecond) * 1000;
      this.open++;
      const shot = this.plan.shots[this.draw()]!;
      new Exchange(this, shot, `${seed.toString(36)}-${number}`, scheduled, number % this.doors.length).send();
    }
  }

  private draw(): number {
    const drawn = this.random() * this.weights.at(-1)!;
    return this.weights.findIndex((upTo) => drawn < upTo);
  }

  door(index: number): { url: URL; agent: Agent } {
    const agents = this.agents[index]!;
    return { url: this.doors[index]!, agent: agents[this.count % agents.length]! };
  }

  get doorCount(): number {
    return this.doors.length;
  }

  get timeoutMs(): number {
    return this.plan.timeoutMs;
  }

  done(row: Row): void {
    this.rows.push(row);
    this.open--;
    if (this.stopped) this.endWhenDone();
    else if (this.plan.atATime) this.fire();
  }

  private report(): void {
    if (this.rows.length === 0) return;
    process.send!({ rows: this.rows });
    this.rows = [];
  }

  private endWhenDone(): void {
    if (!this.stopped || this.open > 0) return;
    clearInterval(this.reporter);
    this.report();
    this.agents.flat().forEach((agent) => agent.destroy());
    process.send!({ over: true }, () => process.disconnect());
  }
}

/** Addresses of the loopback network; undefined is the one that the system chooses. */
function localAddresses(count = 1): (string | undefined)[] {
  if (count === 1) return [undefined];
  return Array.from({ length: count }, (_, at) => `127.0.2.${at + 1}`);
}

function agentFrom(localAddress: string | undefined): Agent {
  return new Agent({
    keepAlive: true,
    maxSockets: Infinity,
    maxFreeSockets: 64,
    ...(localAddress && { localAddress }),
  });
}

/** One request and its answer. */
class Exchange {
  private readonly hash = createHash('sha256');
  private sent = 0;
  private headAt: number | undefined;
  private answer: IncomingMessage | undefined;
  private bytes = 0;
  private text = '';
  private tried = 0;
  private again = false;
  private over = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly generator: Generator,
    private readonly shot: Shot,
    private readonly id: string,
    private readonly scheduled: number,
    private door: number,
  ) {}

  send(): void {
    const { url, agent } = this.generator.door(this.door);
    const { method, path, headers, body } = this.shot;
    this.sent ||= now();
    const outgoing = request({
      agent,
      host: url.hostname,
      port: url.port,
      method,
      path,
      headers: {
        ...headers,
        'x-chaos-id': this.id,
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    });
    this.timer ??= setTimeout(() => this.failWith('TIMEOUT', () => outgoing.destroy()), this.generator.timeoutMs);
    outgoing.once('response', (answer) => this.receive(answer));
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      if (!this.sendAgain(error, outgoing.reusedSocket)) this.failWith(error.code ?? error.message);
    });
    outgoing.end(body);
  }

  private sendAgain({ code }: NodeJS.ErrnoException, reused: boolean): boolean {
    if (this.over || this.answer) return false;
    if (code === 'ECONNREFUSED' && ++this.tried < this.generator.doorCount) {
      this.door = (this.door + 1) % this.generator.doorCount;
    } else if ((code === 'ECONNRESET' || code === 'EPIPE') && reused && this.shot.method === 'GET' && !this.again) {
      this.again = true;
    } else return false;
    this.send();
    return true;
  }

  private receive(answer: IncomingMessage): void {
    this.answer = answer;
    this.headAt = now();
    answer.on('data', (bytes: Buffer) => {
      if (this.over) return;
      this.hash.update(bytes);
      this.bytes += bytes.length;
      if (this.text.length < 16_384) this.text += bytes.toString('latin1');
      else if (this.shot.stream) this.text = this.text.slice(-1_024) + bytes.toString('latin1');
    });
    answer.once('error', (error: NodeJS.ErrnoException) => this.failWith(error.code ?? error.message));
    answer.once('close', () => {
      if (!answer.complete) this.failWith('CUT');
      else this.finish(this.brokenStream() ? 'STREAM_UNFINISHED' : undefined);
    });
  }

  /** A stream that is over comes to its last event, or says in an event of its own why it does not. */
  private brokenStream(): boolean {
    return (
      this.shot.stream === true && this.answer!.statusCode === 200 && !/event: (last|error)\b|\[DONE\]/.test(this.text)
    );
  }

  private failWith(error: string, then?: () => void): void {
    this.finish(error);
    then?.();
  }

  private finish(error: string | undefined): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    const { shot, answer } = this;
    const header = (name: string): string | undefined => answer?.headers[name] as string | undefined;
    const served = answer?.statusCode === 200 && error === undefined;
    this.generator.done({
      id: this.id,
      route: shot.route,
      kind: shot.kind,
      stream: shot.stream === true,
      scheduled: this.scheduled,
      sent: this.sent,
      received: now(),
      headAt: this.headAt,
      status: answer?.statusCode,
      bodyHash: answer && this.hash.digest('base64url'),
      bytes: this.bytes,
      requestId: header('x-sallyport-request-id'),
      configVersion: header('x-sallyport-config-version'),
      limitPolicy: header('ratelimit-policy'),
      originPath: served ? /"path":"([^"]*)"/.exec(this.text)?.[1] : undefined,
      code: served ? undefined : /"code":"(\w+)"/.exec(this.text)?.[1]?.toUpperCase(),
      detail: served ? undefined : this.text.slice(0, 500),
      error,
      again: this.again,
      crossed: served && shot.echoes === true && header('x-chaos-id') !== this.id,
      door: this.door,
    });
  }
}

let generator: Generator | undefined;
process.on('message', (message: { plan?: Plan; stop?: true }) => {
  if (message.plan) generator = new Generator(message.plan);
  if (message.stop) generator?.stop();
});
process.once('disconnect', () => process.exit());
