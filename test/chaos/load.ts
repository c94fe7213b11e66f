import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { Ledger, type Plan, type Row } from './ledger';

/** Starts a file of this folder as a process of its own, with a channel to it. */
export function forkHere(file: string): ChildProcess {
  const hook = join(__dirname, '../../tools/typescript.cjs');
  // Jest's own environment and loader stay here: the child is plain Node.
  return fork(join(__dirname, file), { execArgv: ['-r', hook], env: { PATH: process.env['PATH'] ?? '' } });
}

/** A generator at work. */
export class Load {
  readonly ledger = new Ledger();
  private readonly child: ChildProcess;
  private readonly over: Promise<void>;
  private failure: Error | undefined;

  constructor(readonly plan: Plan) {
    this.child = forkHere('generator.ts');
    this.over = new Promise((resolve, reject) => {
      this.child.on('message', (message: { rows?: Row[]; over?: true }) => {
        if (message.rows) this.ledger.rows.push(...message.rows);
        if (message.over) resolve();
      });
      this.child.once('exit', (code) => {
        this.failure = new Error(`the generator ended with ${code}`);
        reject(this.failure);
      });
    });
    this.over.catch(() => undefined);
    this.child.send({ plan });
  }

  /** Sends no more, waits for the answers that are due, and hands over the ledger. */
  async stop(): Promise<Ledger> {
    if (this.failure) throw this.failure;
    this.child.send({ stop: true });
    await this.over;
    return this.ledger;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

export interface OriginCounts {
  /** Requests by the first segment of their path. */
  readonly hits: Readonly<Record<string, number>>;
  /** Bytes of request bodies, in all and of the largest. */
  readonly received: number;
  readonly largest: number;
  /** Answers that were cut before their end. */
  readonly aborted: number;
  /** Requests that must not have come. */
  readonly denied: number;
  readonly connections: number;
}

/** The API behind the gateway. */
export class Origin {
  private asked = 0;

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static start(): Promise<Origin> {
    const child = forkHere('origin.ts');
    return new Promise((resolve, reject) => {
      child.once('message', ({ port }: { port: number }) => resolve(new Origin(child, port)));
      child.once('exit', (code) => reject(new Error(`the origin ended with ${code}`)));
    });
  }

  counts(): Promise<OriginCounts> {
    const mine = ++this.asked;
    return new Promise((resolve) => {
      const listen = (answer: OriginCounts & { question: number }): void => {
        if (answer.question !== mine) return;
        this.child.off('message', listen);
        resolve(answer);
      };
      this.child.on('message', listen);
      this.child.send(mine);
    });
  }

  close(): void {
    this.child.kill('SIGKILL');
  }
}
