import type { Exchange } from './exchange';

/** Exchanges under way, for those who count them or look at each. */
export interface OpenExchanges extends Iterable<Exchange> {
  readonly size: number;
}

/**
 * Exchanges under way, each at a place that it knows.
 *
 * Not a Set: V8 rebuilds the table of a Set after about as many changes as it has members, the table before refers to the
 * one after it, and both keep what was in them. Once one table has grown old, each that follows is kept until the next full
 * collection, and every exchange with them: all that a request allocates was copied twice and collected as old.
 */
export class ExchangeList implements OpenExchanges {
  private readonly members: Exchange[] = [];

  get size(): number {
    return this.members.length;
  }

  enter(exchange: Exchange): void {
    exchange.place = this.members.length;
    this.members.push(exchange);
  }

  /** What has left already may leave again. */
  leave(exchange: Exchange): void {
    const { members } = this;
    if (members[exchange.place] !== exchange) return;
    const last = members.pop()!;
    if (last === exchange) return;
    last.place = exchange.place;
    members[exchange.place] = last;
  }

  /** Those that are there now: whoever looks at them may end them. */
  [Symbol.iterator](): Iterator<Exchange> {
    return [...this.members][Symbol.iterator]();
  }
}
