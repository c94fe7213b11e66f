import { refuse, type Refusal } from '@sallyport/contracts';

/** Tolerated difference between our clock and an issuer's, in seconds. */
export const CLOCK_TOLERANCE_SECONDS = 5;
/** No token is taken longer than this after it was issued, whatever `exp` says. */
export const MAX_TOKEN_AGE_SECONDS = 3600;

const MAX_NAME_LENGTH = 255;
const MAX_ACTORS = 3;

export type Claims = Readonly<Record<string, unknown>>;

/** What of a token's claims becomes part of the principal. */
export interface AcceptedClaims {
  readonly subject: string;
  readonly client: string;
  readonly actors: readonly string[];
  readonly scopes: ReadonlySet<string>;
  readonly tokenId: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

const refused = (reason: string): Refusal => refuse('AUTH_TOKEN_INVALID', {}, { reason });

/**
 * Reads the claims of a token whose signature, issuer and audience hold.
 * @param now milliseconds since the epoch
 */
export function acceptClaims(claims: Claims, now: number): AcceptedClaims | Refusal {
  const times = checkTimes(claims, Math.floor(now / 1000));
  if (typeof times !== 'number') return times;
  const subject = claims['sub'];
  if (!isName(subject)) return refused('sub is missing or unusable');
  const client = claims['client_id'] ?? claims['azp'] ?? subject;
  if (!isName(client)) return refused('client_id is unusable');
  const tokenId = claims['jti'];
  if (tokenId !== undefined && !isName(tokenId)) return refused('jti is unusable');
  // RFC 9449 §6, RFC 8705 §3: a bound token without its proof is a stolen one.
  if (claims['cnf'] !== undefined) return refused('the token is bound to a key that was not shown');
  const actors = actorsOf(claims['act']);
  if (!actors) return refused('act is malformed or nested too deeply');
  const scopes = scopesOf(claims);
  if (!scopes) return refused('scope is malformed');
  return { subject, client, actors, scopes, tokenId, expiresAt: times * 1000 };
}

/** @returns `exp` in seconds, or the refusal. */
function checkTimes(claims: Claims, now: number): number | Refusal {
  const { exp, iat, nbf } = claims;
  if (!isNumericDate(exp)) return refused('exp is missing or not a whole number of seconds');
  if (!isNumericDate(iat)) return refused('iat is missing or not a whole number of seconds');
  if (nbf !== undefined && !isNumericDate(nbf)) return refused('nbf is not a whole number of seconds');
  if (iat - now > CLOCK_TOLERANCE_SECONDS) return refused('iat lies in the future');
  if (nbf !== undefined && nbf - now > CLOCK_TOLERANCE_SECONDS) return refused('nbf lies in the future');
  if (now - exp > CLOCK_TOLERANCE_SECONDS) return refuse('AUTH_TOKEN_EXPIRED', {}, { reason: 'exp lies in the past' });
  if (now - iat > MAX_TOKEN_AGE_SECONDS + CLOCK_TOLERANCE_SECONDS) {
    return refuse('AUTH_TOKEN_EXPIRED', {}, { reason: 'the token was issued more than an hour ago' });
  }
  return exp;
}

/** RFC 7519 §2 allows fractions; two readers round them differently, so none is taken. */
function isNumericDate(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Names end up in header fields, logs and limit keys. */
function isName(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_NAME_LENGTH) return false;
  // Half of a surrogate pair is in no encoding of text.
  return !/[\x00-\x1f\x7f]/.test(value) && value.isWellFormed();
}

/** RFC 8693 §4.1: the outermost actor acts now, those inside acted before. */
function actorsOf(act: unknown): string[] | undefined {
  const actors: string[] = [];
  for (let link = act; link !== undefined; link = (link as Claims)['act']) {
    if (typeof link !== 'object' || link === null || actors.length === MAX_ACTORS) return undefined;
    const subject = (link as Claims)['sub'];
    if (!isName(subject)) return undefined;
    actors.push(subject);
  }
  return actors;
}

/** `scope` of RFC 8693 §4.2; `scp` is what two widespread issuers write instead. */
function scopesOf(claims: Claims): ReadonlySet<string> | undefined {
  const value = claims['scope'] ?? claims['scp'] ?? '';
  const list = typeof value === 'string' ? value.split(' ').filter((scope) => scope !== '') : value;
  if (
    !Array.isArray(list) ||
    !list.every((scope) => typeof scope === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
  ) {
    return undefined;
  }
  return new Set(list as string[]);
}

/** Types that are signed by the same issuers and keys but give no access (RFC 8725 §3.11, §3.12). */
const foreignTypes: ReadonlySet<string> = new Set([
  'client-authentication+jwt',
  'dpop+jwt',
  'entity-statement+jwt',
  'kb+jwt',
  'logout+jwt',
  'oauth-authz-req+jwt',
  'oauth-id-jag+jwt',
  'secevent+jwt',
  'sp-identity+jwt',
  'token-introspection+jwt',
]);

/** Claims that only stand in an ID token, a logout token, a DPoP proof or a request object. */
const foreignClaims = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events', 'htm', 'htu', 'redirect_uri', 'response_type'];

/**
 * Why a token of an issuer that gives its access tokens no type of their own cannot be one; undefined: it can.
 * @param type `typ` of the header, as `mediaTypeName` writes it
 */
export function neverAccessToken(type: string | undefined, claims: Claims): string | undefined {
  if (type !== undefined && foreignTypes.has(type)) return 'typ is of another kind of token';
  const claim = foreignClaims.find((name) => claims[name] !== undefined);
  if (claim !== undefined) return `${claim} stands in another kind of token`;
  // RFC 7523 §3: a client assertion is issued by its own subject.
  if (claims['iss'] === claims['sub']) return 'issuer and subject are the same, as in a client assertion';
  // Two widespread issuers name the kind in a claim instead of the header.
  if (claims['typ'] !== undefined && claims['typ'] !== 'Bearer') return 'the typ claim names another kind of token';
  if (claims['token_use'] !== undefined && claims['token_use'] !== 'access')
    return 'token_use names another kind of token';
  return undefined;
}
