import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';

/** All replicas of a service are found again this often. */
const RESOLVE_MS = 10_000;

/** Finds the addresses of a target: `dns:///host:port`, `host:port` or `unix:/path`, or several of them behind commas. */
export type Resolve = (target: string) => Promise<readonly string[]>;

/** One name that cannot be found fails them all: the replicas of the others are kept, and so are those it had. */
export const resolveTarget: Resolve = async (target) => (await Promise.all(placesOf(target).map(addressesOf))).flat();

function placesOf(target: string): string[] {
  return target.split(',');
}

const addressesOf: Resolve = async (target) => {
  if (target.startsWith('unix:')) return [target];
  const { host, port } = hostAndPort(target);
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => (isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`));
};

/** @throws RangeError when one of the places of a target is none that can be connected to. */
export function checkTarget(target: string): void {
  for (const place of placesOf(target)) if (!place.startsWith('unix:')) hostAndPort(place);
}

/** @throws RangeError on anything else, and on a port beyond 1 to 65535. */
export function hostAndPort(target: string): { host: string; port: string } {
  const match = /^(?:dns:\/\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^\s,:/[\]]+)):(\d{1,5})$/.exec(target);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) throw new RangeError(`${target} is not dns:///host:port or unix:/path`);
  return { host: (match[1] ?? match[2])!, port: match[3]! };
}

/**
 * Keeps one thing per address of a target: makes it when an address appears, retires it when the address is gone.
 * A failed look-up changes nothing: the name service being down is no reason to leave replicas that answer. What cannot be
 * made for an address is tried again at the next look-up.
 */
export class Replicas<T extends { retire(): void }> {
  private readonly members = new Map<string, T>();
  private readonly timer: NodeJS.Timeout;
  private closed = false;

  /**
   * @param unmade hears what `make` threw.
   * @throws RangeError when the target is none.
   */
  constructor(
    private readonly target: string,
    private readonly make: (address: string) => T,
    private readonly resolve: Resolve,
    private readonly unmade: (address: string, error: unknown) => void,
  ) {
    checkTarget(target);
    void this.refresh();
    this.timer = setInterval(() => void this.refresh(), RESOLVE_MS).unref();
  }

  get size(): number {
    return this.members.size;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.members.values();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    this.adopt([]);
  }

  private async refresh(): Promise<void> {
    const addresses = await this.resolve(this.target).catch(() => undefined);
    if (addresses && addresses.length > 0 && !this.closed) this.adopt(addresses);
  }

  private adopt(addresses: readonly string[]): void {
    for (const [address, member] of this.members) {
      if (addresses.includes(address)) continue;
      this.members.delete(address);
      member.retire();
    }
    for (const address of addresses) if (!this.members.has(address)) this.add(address);
  }

  private add(address: string): void {
    try {
      this.members.set(address, this.make(address));
    } catch (error) {
      this.unmade(address, error);
    }
  }
}
