import { hash } from 'node:crypto';
import { isRefusal, refuse, type Clock, type Principal, type Refusal, type TrustEntry } from '@sallyport/contracts';
import { isWithin } from './address-range';
import { parseApiKey, provesKey, type KeyEnvironment, type Pepper } from './api-key';
import { BoundedCache } from './bounded-cache';
import type { FetchJwks } from './jwks';
import { MAX_TOKEN_BYTES } from './jws';
import { JwtVerifier, type AcceptedToken } from './jwt-verifier';
import { KeyDirectory, type KnownKey } from './key-directory';
import { TrustStore } from './trust';
import type { Presented, Verifier, VerifierOutcome } from './verifier';

export interface LocalVerifierPorts {
  readonly clock: Clock;
  /** Why nothing may be decided by the clock; absent: it is trusted. */
  readonly clockFault?: () => string | undefined;
  /** By version; a key is proven under the version its record names. */
  readonly peppers: readonly Pepper[];
  /** Keys of this environment are taken, those of the other are refused unseen. */
  readonly environment?: KeyEnvironment;
  /** Absent: trust entries must carry their keys. */
  readonly fetchJwks?: FetchJwks;
  readonly fetchFailed?: (url: string, error: unknown) => void;
}

/** What is presented by a peer that sends the digest of a credential instead of the credential. */
export type PresentedContext = Omit<Presented, 'value'>;

interface ProvenKey {
  readonly known: KnownKey;
  readonly principal: Principal;
}

const CACHE_ENTRIES = 50_000;
const NEGATIVE_ENTRIES = 10_000;
const NEGATIVE_LIFE_MS = 5_000;
const PROVEN_KEY_LIFE_MS = 30_000;

/**
 * The engine that says who is calling: in the auth service, in an all-in-one process, and in the ingress when auth is
 * slow or down. Decides from what was handed in and never waits for a network on behalf of a known credential.
 *
 * What is remembered is filed under the SHA-256 of the whole credential, never a part of it.
 */
export class LocalVerifier implements Verifier {
  /** Filled by whoever watches the list of keys. */
  readonly keys = new KeyDirectory();

  readonly #clock: Clock;
  readonly #clockFault: () => string | undefined;
  readonly #environment: KeyEnvironment;
  readonly #peppers: ReadonlyMap<number, Pepper>;
  readonly #anyPepper: Pepper;
  readonly #trust: TrustStore;
  readonly #jwt: JwtVerifier;
  readonly #provenKeys = new BoundedCache<ProvenKey>(CACHE_ENTRIES);
  readonly #acceptedTokens = new BoundedCache<AcceptedToken>(CACHE_ENTRIES);
  readonly #refusedTokens = new BoundedCache<{ readonly refusal: Refusal; readonly until: number }>(NEGATIVE_ENTRIES);
  readonly #pending = new Map<string, Array<(outcome: VerifierOutcome) => void>>();

  /** @throws RangeError without a pepper. */
  constructor(ports: LocalVerifierPorts) {
    const [anyPepper] = ports.peppers;
    if (!anyPepper) throw new RangeError('a verifier needs a pepper');
    this.#anyPepper = anyPepper;
    this.#peppers = new Map(ports.peppers.map((pepper) => [pepper.version, pepper]));
    this.#clock = ports.clock;
    this.#clockFault = ports.clockFault ?? (() => undefined);
    this.#environment = ports.environment ?? 'live';
    this.#trust = new TrustStore(ports);
    this.#jwt = new JwtVerifier(this.#trust, ports.clock);
  }

  /**
   * Puts the trust entries of a snapshot in force.
   * @throws TypeError naming the entry that cannot be used; then the entries in force stay.
   */
  setTrust(entries: readonly TrustEntry[]): void {
    this.#trust.replace(entries);
    this.#refusedTokens.clear();
  }

  verify(presented: Presented, done: (outcome: VerifierOutcome) => void): void {
    const fault = this.#clockFault();
    if (fault !== undefined) done(refuse('AUTH_STATUS_UNKNOWN', {}, { reason: fault }));
    else if (presented.kind === 'api-key') done(this.#verifyKey(presented));
    else this.#verifyToken(presented, done);
  }

  /**
   * Answers for a credential of which only the digest is known.
   * @param digest SHA-256 of the whole credential, base64url
   * @returns undefined when the credential itself must be seen.
   */
  recall(digest: string, context: PresentedContext): VerifierOutcome | undefined {
    if (this.#clockFault() !== undefined) return undefined;
    return context.kind === 'api-key'
      ? this.#recallKey(digest, context)
      : this.#recallToken(tokenPlace(digest, context));
  }

  #verifyKey(presented: Presented): VerifierOutcome {
    // Only what was proven is remembered, so a key that is has the form and the environment.
    const digest = digestOf(presented.value);
    const recalled = this.#recallKey(digest, presented);
    if (recalled) return recalled;
    const parsed = parseApiKey(presented.value);
    if (!parsed) return keyRefused('the form or the check digits are wrong');
    if (parsed.environment !== this.#environment) return keyRefused('the key is of another environment');

    // A wrong key is not remembered: to tell again costs a few microseconds, to remember would refuse a key just made.
    const known = this.keys.get(parsed.kid);
    const pepper = known ? this.#peppers.get(known.record.pepperVersion) : this.#anyPepper;
    if (!pepper) return refuse('AUTH_STATUS_UNKNOWN', {}, { reason: 'the pepper of the key is not configured here' });
    const proven = provesKey(pepper, presented.value, known?.mac);
    if (!known) return this.#unlessStale(presented, keyRefused('no such key'));
    if (!proven) return keyRefused('the secret is wrong');
    const proof = { known, principal: principalOf(known, this.#clock.now()) };
    this.#provenKeys.set(digest, proof);
    return this.#decideKey(proof, presented);
  }

  #recallKey(digest: string, context: PresentedContext): VerifierOutcome | undefined {
    const proof = this.#provenKeys.get(digest);
    if (!proof) return undefined;
    // Any change puts another object in its place: a revocation counts from the call after it.
    const current = this.keys.get(proof.known.record.kid) === proof.known && this.#clock.now() < proof.principal.until;
    if (current) return this.#decideKey(proof, context);
    this.#provenKeys.delete(digest);
    return undefined;
  }

  /** What is decided at every call: nothing of it is remembered. */
  #decideKey({ known, principal }: ProvenKey, context: PresentedContext): VerifierOutcome {
    const { record } = known;
    if (record.status !== 'active') return keyRefused('the key is revoked');
    if (this.#clock.now() >= known.expiresAt) return keyRefused('the key has expired');
    if (record.tenant !== context.tenant) return keyRefused('the key belongs to another tenant');
    if (context.service !== '' && !record.services.includes('*') && !record.services.includes(context.service)) {
      return keyRefused('the key may not call this service');
    }
    if (known.ranges.length > 0 && !isWithin(known.ranges, context.clientAddress)) {
      return keyRefused('the caller’s address is outside the ranges of the key');
    }
    return this.#unlessStale(context, principal);
  }

  #unlessStale<Outcome extends VerifierOutcome>(context: PresentedContext, outcome: Outcome): Outcome | Refusal {
    if (!this.keys.isStale(context.class, this.#clock.now())) return outcome;
    return refuse('AUTH_STATUS_UNKNOWN', {}, { reason: 'the list of keys is older than the route class allows' });
  }

  #verifyToken(presented: Presented, done: (outcome: VerifierOutcome) => void): void {
    if (presented.value.length > MAX_TOKEN_BYTES) return done(tokenRefused('the token is longer than 8 KiB'));
    const digest = digestOf(presented.value);
    const place = tokenPlace(digest, presented);
    const recalled = this.#recallToken(place);
    if (recalled) return done(recalled);
    const waiting = this.#pending.get(place);
    if (waiting) {
      waiting.push(done);
      return;
    }
    this.#pending.set(place, [done]);
    void this.#judge(place, presented, digest).then((outcome) => {
      const callers = this.#pending.get(place)!;
      this.#pending.delete(place);
      for (const caller of callers) caller(outcome);
    });
  }

  #recallToken(place: string): VerifierOutcome | undefined {
    const now = this.#clock.now();
    const accepted = this.#acceptedTokens.get(place);
    if (accepted) {
      const { issuer, keys, principal } = accepted;
      if (now < principal.until && this.#trust.holds(issuer) && issuer.keys.current() === keys) return principal;
      this.#acceptedTokens.delete(place);
    }
    const refused = this.#refusedTokens.get(place);
    return refused && now < refused.until ? refused.refusal : undefined;
  }

  async #judge(place: string, presented: Presented, digest: string): Promise<VerifierOutcome> {
    const judged = await this.#jwt
      .verify(presented.value, presented, digest)
      .catch((error: unknown) => refuse('INTERNAL', {}, { reason: `token verification failed: ${String(error)}` }));
    if (!isRefusal(judged)) {
      this.#acceptedTokens.set(place, judged);
      return judged.principal;
    }
    if (judged.code === 'AUTH_TOKEN_INVALID' || judged.code === 'AUTH_TOKEN_EXPIRED') {
      this.#refusedTokens.set(place, { refusal: judged, until: this.#clock.now() + NEGATIVE_LIFE_MS });
    }
    return judged;
  }
}

/** SHA-256 of a whole credential as caches and peers name it, base64url. */
export function digestOf(credential: string): string {
  return hash('sha256', credential, 'base64url');
}

/** The same token is another question at another resource. */
function tokenPlace(digest: string, { tenant, resource, trust }: PresentedContext): string {
  return `${digest}\0${tenant}\0${resource}\0${trust.join('\0')}`;
}

function principalOf({ record, expiresAt }: KnownKey, now: number): Principal {
  return Object.freeze({
    tenant: record.tenant,
    subject: record.consumer,
    client: record.name,
    consumer: record.consumer,
    actors: Object.freeze([]),
    scopes: new Set(record.scopes),
    roles: Object.freeze([]),
    credential: Object.freeze({ kind: 'api-key', id: record.kid }),
    until: Math.min(expiresAt, now + PROVEN_KEY_LIFE_MS),
    models: Object.freeze([...record.models]),
    quotas: Object.freeze([Object.freeze({ name: 'key', ...record.rate })]),
  });
}

function keyRefused(reason: string): Refusal {
  return refuse('AUTH_KEY_INVALID', {}, { reason });
}

function tokenRefused(reason: string): Refusal {
  return refuse('AUTH_TOKEN_INVALID', {}, { reason });
}
