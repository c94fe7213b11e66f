import { authV1, isRefusal, principalToWire, refusalToWire, refuse, type RouteClass } from '@sallyport/contracts';
import type { LocalVerifier, Presented, VerifierOutcome } from '@sallyport/identity';

/** As the engine's memory is filed: SHA-256 in 32 bytes. */
const DIGEST_BYTES = 32;

/**
 * Answers one question of a peer. A credential that is known by its digest is answered before this returns; a digest
 * that says nothing here is answered with `unknown_digest`, and the peer asks again with the credential.
 */
export function answer(
  engine: LocalVerifier,
  request: authV1.VerifyRequest,
  done: (reply: authV1.VerifyReply) => void,
): void {
  const presented = presentedOf(request);
  if (!presented) return done(replyOf(refuse('AUTH_MALFORMED', { reason: 'the kind of credential is not given' })));
  if (presented.value !== '') return engine.verify(presented, (outcome) => done(replyOf(outcome)));
  const known =
    request.digest.length === DIGEST_BYTES && engine.recall(request.digest.toString('base64url'), presented);
  done(known ? replyOf(known) : { body: { $case: 'unknownDigest', value: true }, reason: '' });
}

const kinds: Readonly<Partial<Record<authV1.CredentialKind, Presented['kind']>>> = {
  [authV1.CredentialKind.CREDENTIAL_KIND_BEARER]: 'bearer',
  [authV1.CredentialKind.CREDENTIAL_KIND_API_KEY]: 'api-key',
};

const classes: Readonly<Partial<Record<authV1.RouteClass, RouteClass>>> = {
  [authV1.RouteClass.ROUTE_CLASS_PUBLIC]: 'public',
  [authV1.RouteClass.ROUTE_CLASS_REGULATED]: 'regulated',
  [authV1.RouteClass.ROUTE_CLASS_INTERNAL]: 'internal',
};

function presentedOf(request: authV1.VerifyRequest): Presented | undefined {
  const kind = kinds[request.kind];
  if (!kind) return undefined;
  const { value, method, url, resource, trust, tenant, service, clientAddress } = request;
  // A class this version does not know is judged by the strictest.
  const routeClass = classes[request.routeClass] ?? 'regulated';
  return { kind, value, method, url, resource, trust, tenant, class: routeClass, service, clientAddress };
}

function replyOf(outcome: VerifierOutcome): authV1.VerifyReply {
  if (isRefusal(outcome)) {
    return { body: { $case: 'refused', value: refusalToWire(outcome) }, reason: outcome.reason ?? '' };
  }
  return { body: { $case: 'principal', value: principalToWire(outcome) }, reason: '' };
}
