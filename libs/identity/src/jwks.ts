import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { Clock } from '@sallyport/contracts';

/** Fetches the document of a `jwksUrl`; handed in, so that one guarded dialer serves and tests need no network. */
export type FetchJwks = (request: {
  readonly url: string;
  /** The operator says that private and loopback addresses are meant. */
  readonly allowPrivate: boolean;
  /** A longer document fails. */
  readonly maxBytes: number;
  readonly timeoutMs: number;
}) => Promise<Uint8Array>;

export interface VerificationKey {
  readonly id: string | undefined;
  /** The one algorithm the key says it is for. */
  readonly algorithm: string | undefined;
  readonly key: KeyObject;
}

const MAX_KEYS = 20;
const MAX_DOCUMENT_BYTES = 64 * 1024;
const FETCH_TIMEOUT_MS = 5_000;
const REFRESH_AFTER_MS = 10 * 60_000;
const COOLDOWN_MS = 30_000;
const MIN_RSA_BITS = 2048;

/** The keys of one issuer. A key id is opaque: it is looked up in a map and never used for anything else. */
export class KeySet {
  readonly #keys: readonly VerificationKey[];
  readonly #byId: ReadonlyMap<string, readonly VerificationKey[]>;

  private constructor(keys: readonly VerificationKey[]) {
    this.#keys = keys;
    const byId = new Map<string, VerificationKey[]>();
    for (const key of keys) {
      if (key.id === undefined) continue;
      const same = byId.get(key.id);
      if (same) same.push(key);
      else byId.set(key.id, [key]);
    }
    this.#byId = byId;
  }

  /**
   * @param document a JWK Set (RFC 7517 §5). Keys of kinds we do not use are left out, as §5 asks.
   * @throws TypeError when it is not a set, holds too many keys, a private or a secret one, or none that can be used.
   */
  static read(document: unknown): KeySet {
    const members = (document as { keys?: unknown } | null)?.keys;
    if (!Array.isArray(members)) throw new TypeError('not a JWK set');
    if (members.length > MAX_KEYS) throw new TypeError(`a JWK set here has at most ${MAX_KEYS} keys`);
    const keys = members.map(readKey).filter((key) => key !== undefined);
    if (keys.length === 0) throw new TypeError('the JWK set holds no key that can verify a signature');
    return new KeySet(keys);
  }

  /**
   * The keys that may have signed: those of the id, or, for a token without one, the only key that fits.
   * @returns empty when the id is unknown or its key is for another algorithm.
   */
  candidates(id: string | undefined, algorithm: string): readonly VerificationKey[] {
    const named = id === undefined ? this.#keys : (this.#byId.get(id) ?? []);
    const fitting = named.filter((key) => fits(key, algorithm));
    return id === undefined && fitting.length > 1 ? [] : fitting;
  }

  has(id: string | undefined): boolean {
    return id === undefined || this.#byId.has(id);
  }
}

function readKey(member: unknown): VerificationKey | undefined {
  if (typeof member !== 'object' || member === null) throw new TypeError('a member of the JWK set is not a key');
  const jwk = member as JsonWebKey & { alg?: unknown; kid?: unknown; use?: unknown; key_ops?: unknown };
  // A published private key is a broken issuer, and a secret one would let the public key sign (RFC 8725 §2.1).
  if (jwk.d !== undefined || jwk.kty === 'oct') throw new TypeError('the JWK set holds a private or secret key');
  if (jwk.use !== undefined && jwk.use !== 'sig') return undefined;
  if (Array.isArray(jwk.key_ops) && !jwk.key_ops.includes('verify')) return undefined;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
  if (key.asymmetricKeyType === 'rsa' && !isStrongRsa(key)) return undefined;
  return {
    id: typeof jwk.kid === 'string' ? jwk.kid : undefined,
    algorithm: typeof jwk.alg === 'string' ? jwk.alg : undefined,
    key,
  };
}

/** RFC 7518 §3.3 sets the size; with an exponent of 1 every message is its own signature. */
function isStrongRsa({ asymmetricKeyDetails }: KeyObject): boolean {
  return (
    (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS && (asymmetricKeyDetails?.publicExponent ?? 0n) >= 3n
  );
}

function fits({ algorithm: own, key }: VerificationKey, algorithm: string): boolean {
  if (own !== undefined && own !== algorithm) return false;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  switch (algorithm) {
    case 'ES256':
      return key.asymmetricKeyType === 'ec' && curve === 'prime256v1';
    case 'ES384':
      return key.asymmetricKeyType === 'ec' && curve === 'secp384r1';
    case 'RS256':
    case 'PS256':
      return key.asymmetricKeyType === 'rsa';
    case 'EdDSA':
      return key.asymmetricKeyType === 'ed25519';
    default:
      return false;
  }
}

/** Where the keys of a trust entry come from. */
export interface KeySource {
  /** The set in use; another object once keys changed. Undefined: none was ever received. */
  current(): KeySet | undefined;
  /**
   * Called before a token that names this key id is judged; keeps the set fresh.
   * @returns a promise, which never rejects, when a newer set is on its way without which the token cannot be judged.
   */
  prepare(id: string | undefined): Promise<void> | undefined;
}

/** Keys written into the configuration. */
export function inlineKeys(document: unknown): KeySource {
  const set = KeySet.read(document);
  return { current: () => set, prepare: () => undefined };
}

/**
 * Keys fetched from the issuer: in the background every ten minutes while they are used, and once more, at most every
 * thirty seconds, when a token names a key that is not there. The last good set is kept whatever happens.
 */
export class FetchedKeys implements KeySource {
  #set: KeySet | undefined;
  #document = '';
  #pending: Promise<void> | undefined;
  #askedAt = -Infinity;
  #answeredAt = -Infinity;

  constructor(
    readonly url: string,
    readonly allowPrivate: boolean,
    private readonly ports: {
      readonly fetch: FetchJwks;
      readonly clock: Clock;
      /** Told why a set could not be had. */
      readonly failed?: (url: string, error: unknown) => void;
    },
  ) {}

  current(): KeySet | undefined {
    return this.#set;
  }

  prepare(id: string | undefined): Promise<void> | undefined {
    const now = this.ports.clock.monotonic();
    const old = now - this.#answeredAt;
    if (old >= REFRESH_AFTER_MS && now - this.#askedAt >= COOLDOWN_MS) void this.refresh();
    // Unused for long, the set may hold keys the issuer has since taken back.
    if (this.#set?.has(id) && old < 2 * REFRESH_AFTER_MS) return undefined;
    if (!this.#pending && now - this.#askedAt >= COOLDOWN_MS) void this.refresh();
    return this.#pending;
  }

  /** Asks the issuer now; callers that come while it is asked share the answer. Never rejects. */
  refresh(): Promise<void> {
    this.#askedAt = this.ports.clock.monotonic();
    this.#pending ??= this.#fetch().finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  async #fetch(): Promise<void> {
    const { url, allowPrivate } = this;
    try {
      const bytes = await this.ports.fetch({
        url,
        allowPrivate,
        maxBytes: MAX_DOCUMENT_BYTES,
        timeoutMs: FETCH_TIMEOUT_MS,
      });
      if (bytes.byteLength > MAX_DOCUMENT_BYTES) throw new RangeError('the JWK set is longer than 64 KiB');
      const document = Buffer.from(bytes).toString('utf8');
      // An unchanged document keeps the same object, and with it every decision that rests on it.
      if (document !== this.#document) this.#set = KeySet.read(JSON.parse(document));
      this.#document = document;
      this.#answeredAt = this.ports.clock.monotonic();
    } catch (error) {
      this.ports.failed?.(url, error);
    }
  }
}
