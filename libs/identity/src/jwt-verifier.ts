import { compactVerify } from 'jose';
import { isRefusal, refuse, type Clock, type Principal, type Refusal } from '@sallyport/contracts';
import { acceptClaims, neverAccessToken, type Claims } from './claims';
import type { KeySet } from './jwks';
import { readCompactJws, type CompactJws } from './jws';
import { parseStrictObject } from './strict-json';
import type { TrustedIssuer, TrustStore } from './trust';
import type { Presented } from './verifier';

/** How long one verification serves, in milliseconds; the end of the token ends it sooner. */
export const TOKEN_LIFE_MS = 300_000;

/** What a token has to answer for. */
export type TokenDemand = Pick<Presented, 'tenant' | 'resource' | 'trust'>;

/** An accepted token with what the acceptance rests on: once any of it is replaced, the token is judged again. */
export interface AcceptedToken {
  readonly principal: Principal;
  readonly issuer: TrustedIssuer;
  readonly keys: KeySet;
}

const refused = (reason: string): Refusal => refuse('AUTH_TOKEN_INVALID', {}, { reason });

/**
 * Verifies JWT access tokens (RFC 9068, RFC 8725) in this order: form, trust entry by the raw `iss`, algorithm and type
 * of that entry, audience, key, signature, claims. No key is touched and nothing is fetched for an issuer that is not
 * trusted. Every refusal looks the same outside; its exact cause is in `reason`.
 */
export class JwtVerifier {
  constructor(
    private readonly trust: TrustStore,
    private readonly clock: Clock,
  ) {}

  /** @param digest SHA-256 of the token: names a token that has no `jti`. */
  async verify(token: string, demand: TokenDemand, digest: string): Promise<AcceptedToken | Refusal> {
    const jws = readCompactJws(token);
    if (typeof jws === 'string') return refused(jws);
    const claims = parseStrictObject(jws.payload);
    if (!claims) return refused('the claims are not a JSON object with unique members');
    const issuer = this.#chooseIssuer(jws, claims, demand);
    if (isRefusal(issuer)) return issuer;

    await issuer.keys.prepare(jws.keyId);
    const keys = issuer.keys.current();
    if (!keys) return refuse('AUTH_STATUS_UNKNOWN', {}, { reason: 'the keys of the issuer were never received' });
    if (!(await isSignedBy(jws, keys))) return refused('no key of the issuer proves the signature');

    const accepted = acceptClaims(claims, this.clock.now());
    if (isRefusal(accepted)) return accepted;
    const principal: Principal = Object.freeze({
      tenant: issuer.entry.tenant,
      subject: accepted.subject,
      client: accepted.client,
      consumer: accepted.client,
      actors: Object.freeze(accepted.actors),
      scopes: accepted.scopes,
      roles: Object.freeze([]),
      credential: Object.freeze({ kind: 'jwt', id: accepted.tokenId ?? `sha256:${digest.slice(0, 16)}` }),
      until: Math.min(accepted.expiresAt, this.clock.now() + TOKEN_LIFE_MS),
      models: everyModel,
      quotas: Object.freeze([]),
    });
    return { principal, issuer, keys };
  }

  #chooseIssuer(jws: CompactJws, claims: Claims, demand: TokenDemand): TrustedIssuer | Refusal {
    const { iss, aud } = claims;
    if (typeof iss !== 'string') return refused('iss is missing or not a string');
    const issuers = this.trust.find(demand.tenant, iss, demand.trust);
    if (issuers.length === 0) return refused('the issuer is not trusted here');
    // RFC 9068 §4 with one audience per token: a list would let one resource replay what another was given.
    if (typeof aud !== 'string') return refused('aud is missing or not a single string');
    const issuer = issuers.find(({ audiences }) => audiences.has(aud));
    if (!issuer || (demand.resource !== '' && aud !== demand.resource)) return refused('aud is not this resource');
    if (!issuer.algorithms.has(jws.algorithm)) return refused('alg is not one of the trust entry');
    if (issuer.type !== null && issuer.type !== jws.type) return refused('typ is not that of the trust entry');
    const foreign = issuer.type === 'at+jwt' ? undefined : neverAccessToken(jws.type, claims);
    return foreign === undefined ? issuer : refused(foreign);
  }
}

/** Models are granted by API keys and routes; a token that passed its route may call what the route serves. */
const everyModel: readonly string[] = Object.freeze(['*']);

/** Whether one of the keys that the token may name made its signature. */
export async function isSignedBy(jws: CompactJws, keys: KeySet): Promise<boolean> {
  for (const { key } of keys.candidates(jws.keyId, jws.algorithm)) {
    try {
      await compactVerify(jws.compact, key, { algorithms: [jws.algorithm] });
      return true;
    } catch {
      continue; // another key may bear the same id while the issuer rotates
    }
  }
  return false;
}
