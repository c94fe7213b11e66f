import type { Consult } from './consult';

const FIRST_PLACES = 64;

/**
 * The consults of one stream that have begun and not ended, each at the place that the low bits of its id name.
 *
 * An array and not a Map, since they come and go with requests: docs/adr/0033. Ids are given in rising order and one whose
 * place is taken is passed over, so that a consult that lasts long holds up nobody. Half of the places at least are free,
 * so few are passed over; the array grows with the most that were ever under way at once, and does not shrink.
 */
export class UnderWay implements Iterable<Consult> {
  private places: (Consult | undefined)[] = emptyPlaces(FIRST_PLACES);
  private lastId = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Gives a consult the next id that is free, from 1 up to 2³² − 1 and then from 1 again. */
  enter(consult: Consult): void {
    if (this.count * 2 >= this.places.length) this.grow();
    const { places } = this;
    const mask = places.length - 1;
    // 0 is the id of what wants no answer.
    do this.lastId = (this.lastId + 1) >>> 0 || 1;
    while (places[this.lastId & mask]);
    consult.id = this.lastId;
    places[consult.id & mask] = consult;
    this.count++;
  }

  /** @returns undefined for an id whose consult has ended, or that was never given. */
  find(id: number): Consult | undefined {
    const consult = this.places[id & (this.places.length - 1)];
    return consult?.id === id ? consult : undefined;
  }

  /** @returns false when it had left already. */
  leave(consult: Consult): boolean {
    if (this.find(consult.id) !== consult) return false;
    this.places[consult.id & (this.places.length - 1)] = undefined;
    this.count--;
    return true;
  }

  /** Those that are there now, in no order: whoever looks at them may end them. */
  [Symbol.iterator](): Iterator<Consult> {
    return this.places.filter((consult) => consult !== undefined)[Symbol.iterator]();
  }

  /** Ids that differ in their low bits differ in more of them too. */
  private grow(): void {
    const places = emptyPlaces(this.places.length * 2);
    for (const consult of this) places[consult.id & (places.length - 1)] = consult;
    this.places = places;
  }
}

function emptyPlaces(count: number): (Consult | undefined)[] {
  return new Array<Consult | undefined>(count).fill(undefined);
}
