import type { Clock, TrustEntry } from '@sallyport/contracts';
import { FetchedKeys, inlineKeys, type FetchJwks, type KeySource } from './jwks';
import { mediaTypeName } from './jws';

/** A trust entry ready for use. */
export interface TrustedIssuer {
  readonly entry: TrustEntry;
  readonly keys: KeySource;
  readonly audiences: ReadonlySet<string>;
  readonly algorithms: ReadonlySet<string>;
  /** The demanded `typ` as it is compared; null: see `neverAccessToken`. */
  readonly type: string | null;
}

/** The issuers that are trusted, by tenant and raw `iss`. One that is not here costs one look-up and no traffic. */
export class TrustStore {
  #issuers: ReadonlyMap<string, readonly TrustedIssuer[]> = new Map();
  readonly #fetched = new Map<string, FetchedKeys>();

  constructor(
    private readonly ports: {
      readonly clock: Clock;
      readonly fetchJwks?: FetchJwks;
      readonly fetchFailed?: (url: string, error: unknown) => void;
    },
  ) {}

  /**
   * Replaces all entries at once. Key sets that were fetched stay as long as an entry names their address.
   * @throws TypeError naming the entry that cannot be used; then the entries in force stay.
   */
  replace(entries: readonly TrustEntry[]): void {
    const issuers = new Map<string, TrustedIssuer[]>();
    const used = new Map<string, FetchedKeys>();
    for (const entry of entries) {
      const issuer: TrustedIssuer = {
        entry,
        keys: this.#keysOf(entry, used),
        audiences: new Set(entry.audiences),
        algorithms: new Set(entry.algorithms),
        type: entry.typ === null ? null : mediaTypeName(entry.typ),
      };
      const place = placeOf(entry.tenant, entry.issuer);
      const same = issuers.get(place);
      if (same) same.push(issuer);
      else issuers.set(place, [issuer]);
    }
    this.#issuers = issuers;
    for (const key of this.#fetched.keys()) if (!used.has(key)) this.#fetched.delete(key);
    for (const [key, source] of used) {
      if (this.#fetched.has(key)) continue;
      this.#fetched.set(key, source);
      void source.refresh();
    }
  }

  /** Entries of a tenant for exactly this issuer, byte for byte, of the names a route accepts (none: all). */
  find(tenant: string, issuer: string, names: readonly string[]): readonly TrustedIssuer[] {
    const found = this.#issuers.get(placeOf(tenant, issuer)) ?? [];
    return names.length === 0 ? found : found.filter(({ entry }) => names.includes(entry.name));
  }

  /** Whether what was found earlier is still in force. */
  holds(issuer: TrustedIssuer): boolean {
    return this.#issuers.get(placeOf(issuer.entry.tenant, issuer.entry.issuer))?.includes(issuer) ?? false;
  }

  #keysOf(entry: TrustEntry, used: Map<string, FetchedKeys>): KeySource {
    const problem = (reason: string) =>
      new TypeError(`trust entry “${entry.name}” of tenant “${entry.tenant}”: ${reason}`);
    if (entry.jwks) {
      try {
        return inlineKeys(entry.jwks);
      } catch (error) {
        throw problem((error as Error).message);
      }
    }
    if (!entry.jwksUrl) throw problem('neither jwks nor jwksUrl is given');
    if (!this.ports.fetchJwks) throw problem('this process cannot fetch a jwksUrl');
    const key = `${entry.allowPrivate} ${entry.jwksUrl}`;
    const source =
      used.get(key) ??
      this.#fetched.get(key) ??
      new FetchedKeys(entry.jwksUrl, entry.allowPrivate, {
        fetch: this.ports.fetchJwks,
        clock: this.ports.clock,
        ...(this.ports.fetchFailed && { failed: this.ports.fetchFailed }),
      });
    used.set(key, source);
    return source;
  }
}

/** A tenant is a plain name, so the first NUL ends it. */
function placeOf(tenant: string, issuer: string): string {
  return `${tenant}\0${issuer}`;
}
