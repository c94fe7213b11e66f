import {
  authV1,
  principalToWire,
  isRefusal,
  refusalToWire,
  refuse,
  type RouteClass,
  type VerifyAnswer,
  type VerifyAsked,
} from '@sallyport/contracts';
import type { LocalVerifier } from '@sallyport/identity';

/** As the engine's memory is filed: SHA-256 in 32 bytes. */
const DIGEST_BYTES = 32;

/**
 * Answers one question of a peer. A credential that is known by its digest is answered before this returns; a digest
 * that says nothing here is answered with `unknown`, and the peer asks again with the credential.
 */
export function answer(engine: LocalVerifier, asked: VerifyAsked, done: (outcome: VerifyAnswer) => void): void {
  const { kind, digest, value } = asked;
  if (!kind) return done(refuse('AUTH_MALFORMED', { reason: 'the kind of credential is not given' }));
  const presented = { ...asked, kind };
  if (value !== '') return engine.verify(presented, done);
  const known = digest.length === DIGEST_BYTES && engine.recall(digest.toString('base64url'), presented);
  done(known || 'unknown');
}

const kinds: Readonly<Partial<Record<authV1.CredentialKind, VerifyAsked['kind']>>> = {
  [authV1.CredentialKind.CREDENTIAL_KIND_BEARER]: 'bearer',
  [authV1.CredentialKind.CREDENTIAL_KIND_API_KEY]: 'api-key',
};

const classes: Readonly<Partial<Record<authV1.RouteClass, RouteClass>>> = {
  [authV1.RouteClass.ROUTE_CLASS_PUBLIC]: 'public',
  [authV1.RouteClass.ROUTE_CLASS_REGULATED]: 'regulated',
  [authV1.RouteClass.ROUTE_CLASS_INTERNAL]: 'internal',
};

/** What an integrator asks. A class this version does not know is judged by the strictest. */
export function askedOf(request: authV1.VerifyRequest): VerifyAsked {
  return { ...request, kind: kinds[request.kind], class: classes[request.routeClass] ?? 'regulated' };
}

export function replyOf(outcome: VerifyAnswer): authV1.VerifyReply {
  if (outcome === 'unknown') return { body: { $case: 'unknownDigest', value: true }, reason: '' };
  if (isRefusal(outcome)) {
    return { body: { $case: 'refused', value: refusalToWire(outcome) }, reason: outcome.reason ?? '' };
  }
  return { body: { $case: 'principal', value: principalToWire(outcome) }, reason: '' };
}
