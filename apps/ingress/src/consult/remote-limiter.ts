import { limitsV1, readSpending, writeNode, writeSpend, type WireReader, type WireWriter } from '@sallyport/contracts';
import type { Charge, Spending, Standing } from '@sallyport/limits';
import type { Closable } from '@sallyport/platform';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';
import type { DecideStream } from './decide-stream';
import type { LiveCount } from './live-count';

export interface RemoteLimiterOptions {
  readonly target: string;
  /** Name of this process: the service counts live ones by it. */
  readonly node: string;
  readonly runtime: ConsultRuntime;
  /** Hears how many ingress processes the service knows of. */
  readonly live?: Pick<LiveCount, 'note'>;
  /** Default 5 ms. */
  readonly budgetMs?: number;
}

type Done = (outcome: Spending | Silence) => void;

/**
 * Asks the rate-limit service. While its replicas count each for itself, a charge is asked of the replica its key lives
 * at, so that one limit is counted in one place; the charges of one request may then lie at several.
 */
export class RemoteLimiter implements Closable {
  private readonly client: DecideClient;
  private readonly budgetMs: number;
  /** Every replica counts in one place: any of them may be asked. */
  private shared = false;

  constructor({ target, node, runtime, live, budgetMs = 5 }: RemoteLimiterOptions) {
    this.budgetMs = budgetMs;
    this.client = new DecideClient({
      service: 'rate-limit',
      target,
      runtime,
      budgetMs,
      protocol: {
        path: limitsV1.LimitServiceService.decide.path,
        begin: (writer) => writeNode(writer, node),
        probe: writeProbe,
        beside: (tag, reader, leaving) => {
          if (tag === LIVE_NODES) {
            const count = reader.varint();
            if (!leaving) live?.note(count);
          } else if (tag === SHARED) this.shared = reader.varint() !== 0;
          else reader.skip(tag);
        },
        greets: true,
      },
    });
  }

  state(): 'up' | 'down' {
    return this.client.state();
  }

  spend(tenant: string, charges: readonly Charge[], done: Done): void {
    if (this.shared || this.client.size < 2) return this.ask(tenant, charges, done);
    const parts = this.partsOf(tenant, charges);
    const [first] = parts;
    if (parts.size === 1) return this.ask(tenant, charges, done, [...parts.keys()][0]);
    if (!first) return done('down');
    // Asked nobody when not everybody can be asked: what is taken and not needed is lost to the caller.
    for (const home of parts.keys()) if (!home.up) return done('down');
    const whole = new SplitSpending(charges.length, parts.size, done);
    for (const [home, indexes] of parts) {
      const part = indexes.map((index) => charges[index]!);
      this.ask(tenant, part, (outcome) => whole.take(indexes, outcome), home);
    }
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private ask(tenant: string, charges: readonly Charge[], done: Done, home?: DecideStream): void {
    const consult = new SpendConsult(charges, done);
    const silence = this.client.begin(consult, this.budgetMs, home);
    if (silence) return done(silence);
    this.client.send(consult, writeSpend, tenant, charges);
  }

  private partsOf(tenant: string, charges: readonly Charge[]): Map<DecideStream, number[]> {
    const parts = new Map<DecideStream, number[]>();
    for (const [index, { key }] of charges.entries()) {
      const home = this.client.homeOf(`${tenant}:${key}`);
      if (!home) continue;
      const part = parts.get(home);
      if (part) part.push(index);
      else parts.set(home, [index]);
    }
    return parts;
  }
}

/** Fields of `DecideBatchReply`. */
const LIVE_NODES = 0x10;
const SHARED = 0x18;

/** An ask without anything to spend is answered by its id alone. */
function writeProbe(writer: WireWriter, id: number): void {
  const ask = writer.open(0x12);
  writer.present(0x08, id);
  writer.close(ask);
}

class SpendConsult extends Consult {
  constructor(
    private readonly charges: readonly Charge[],
    private readonly done: Done,
  ) {
    super();
  }

  answered(reader: WireReader, end: number): void {
    const spending = readSpending(reader, end, this.charges);
    this.stream!.end(this);
    const whole = spending && spending.standings.length === this.charges.length;
    this.done(whole ? spending : 'down');
  }

  unanswered(why: Silence): void {
    this.done(why);
  }
}

/**
 * The answers of several replicas about one request. It passes when all of its charges do; what one replica has taken for
 * a request that another refuses stays taken, so that no limit is ever exceeded for it.
 */
class SplitSpending {
  private readonly standings: (Standing | undefined)[];
  private allowed = true;
  private silence: Silence | undefined;

  constructor(
    charges: number,
    private waiting: number,
    private readonly done: Done,
  ) {
    this.standings = Array.from({ length: charges });
  }

  take(indexes: readonly number[], outcome: Spending | Silence): void {
    if (typeof outcome === 'string') this.silence ??= outcome;
    else {
      this.allowed &&= outcome.allowed;
      for (const [place, index] of indexes.entries()) this.standings[index] = outcome.standings[place];
    }
    if (--this.waiting > 0) return;
    this.done(this.silence ?? { allowed: this.allowed, standings: this.standings as Standing[] });
  }
}
