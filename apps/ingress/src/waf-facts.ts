import { subjects, type Clock } from '@sallyport/contracts';
import type { Bus, Counter, Metrics } from '@sallyport/platform';
import type { Exchange } from './exchange';

/** Facts that may be on their way to the bus at a time; whoever attacks makes more than anybody wants to hear. */
const MOST_UNDER_WAY = 1_000;
/** Rules that one fact names. */
const MOST_RULES = 16;

/** Reasons that belong to a kind of request, of which there may be any number. */
const ORDINARY: ReadonlySet<string> = new Set(['grpc-body']);

type Inspected = Pick<
  Exchange,
  'requestId' | 'compiled' | 'verdict' | 'hits' | 'ruleset' | 'refusal' | 'skipped' | 'decidedBy'
>;

/**
 * Tells the bus of requests that inspection refused, and of those that it did not see as their route demands: one fact of a kind
 * for each request. Nothing that a caller has sent is in it: whoever needs more finds the record by the id of the request.
 */
export class WafFactTeller {
  private underWay = 0;
  private readonly untold: Counter;

  constructor(
    private readonly bus: Pick<Bus, 'publish'>,
    private readonly clock: Pick<Clock, 'now'>,
    metrics: Metrics,
  ) {
    this.untold = metrics.counter(
      'sallyport_waf_untold_total',
      'Facts of inspection that were not given to the bus, because it had too many; the audit trail has them.',
    );
  }

  /** @param exchange one that is over, told once */
  tell(exchange: Inspected): void {
    const { verdict, decidedBy, skipped } = exchange;
    // Who refuses because nobody could inspect has not found anything.
    if (verdict === 'refuse' && decidedBy.waf !== 'local') this.tellBlocked(exchange);
    if (skipped.length === 0) return;
    const why = skipped.filter(({ control, reason }) => control === 'waf' && !ORDINARY.has(reason));
    if (why.length > 0)
      this.tellSkipped(
        exchange,
        why.map(({ reason }) => reason),
      );
  }

  private tellBlocked(exchange: Inspected): void {
    const { hits, ruleset = '', refusal } = exchange;
    const rules = [...new Set(hits.map(({ rule }) => rule))].slice(0, MOST_RULES);
    this.publish(subjects.wafRequestBlocked, exchange, { code: refusal?.code ?? null, ruleset, rules });
  }

  private tellSkipped(exchange: Inspected, why: readonly string[]): void {
    const served = exchange.refusal === undefined;
    this.publish(subjects.wafInspectionSkipped, exchange, { why, served });
  }

  private publish(subject: (tenant: string) => string, { requestId, compiled }: Inspected, more: object): void {
    if (this.underWay >= MOST_UNDER_WAY) return this.untold.add();
    const { tenant, id } = compiled?.route ?? { tenant: 'default', id: null };
    const fact = { at: new Date(this.clock.now()).toISOString(), requestId, tenant, route: id, ...more };
    this.underWay += 1;
    const arrived = (): void => void (this.underWay -= 1);
    this.bus.publish(subject(tenant), Buffer.from(JSON.stringify(fact))).then(arrived, arrived);
  }
}
