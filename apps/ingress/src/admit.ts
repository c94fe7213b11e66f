import { isRefusal, refuse, type Refusal } from '@sallyport/contracts';
import { takeCredential } from '@sallyport/identity';
import { chargesOf, routeCharges, type CompiledRoute } from '@sallyport/pipeline';
import { retryAfterMs, type Charge, type Standing } from '@sallyport/limits';
import type { Exchange } from './exchange';
import type { GatewayParts } from './gateway-parts';
import { askInTurn, attempt, endedBy } from './hooks/request-hooks';
import { inspectHead } from './inspect';
import { consultSpan } from './trace';

/**
 * Lets a request in, or refuses it, on its head alone. Who is calling and whether the head is hostile are asked together,
 * and a caller who is not known is told that first, whichever answer is the quicker; what is counted depends on who is
 * calling, and is asked next.
 */
export function admit(exchange: Exchange, parts: GatewayParts, next: () => void): void {
  const { compiled } = exchange;
  const refusal = ended(compiled!, parts.clock.now());
  if (refusal) return parts.refuse(exchange, refusal);
  if (!admitLocally(exchange, parts)) return;

  let waiting = 2;
  let unknown: Refusal | undefined;
  let hostile: Refusal | undefined;
  const answered = (): void => {
    if (--waiting > 0 || exchange.over) return;
    const refusal = unknown ?? hostile;
    if (refusal) return parts.refuse(exchange, refusal);
    askInTurn(exchange, parts, compiled!.authorised, () =>
      spend(exchange, parts, () => recordRegulated(exchange, parts, next)),
    );
  };
  inspectHead(exchange, parts, (refusal) => {
    hostile = refusal;
    answered();
  });
  verify(exchange, parts, (refusal) => {
    unknown = refusal;
    answered();
  });
}

/** 410 after the sunset date, whatever state the snapshot knew: a date needs no new revision. */
function ended({ route, sunsetAt }: CompiledRoute, now: number): Refusal | undefined {
  const over =
    route.state === 'sunset' || route.state === 'decommissioned' || (sunsetAt !== undefined && sunsetAt <= now);
  if (!over) return undefined;
  return refuse('SERVICE_SUNSET', {
    service: route.service,
    version: route.version,
    sunset: route.lifecycle.sunsetAt ?? new Date(now).toISOString(),
  });
}

/** @returns false when the way of the request ends here. */
function admitLocally(exchange: Exchange, parts: GatewayParts): boolean {
  const { admit: steps } = exchange.compiled!;
  for (let at = 0; at < steps.length; at++) {
    const step = steps[at]!;
    if (endedBy(exchange, parts, step.run(exchange.policyInput), step.at)) return false;
  }
  return !endedBy(exchange, parts, exchange.body.announce(exchange.request!.contentLength), 0);
}

/** Fields that carry an API key where the dialect is OpenAI's. */
const KEY_FIELDS = ['x-api-key'];

/** @param next told whether the caller is refused */
function verify(exchange: Exchange, parts: GatewayParts, next: (refusal?: Refusal) => void): void {
  const request = exchange.request!;
  const { auth, tenant, service } = exchange.route;
  const credential = takeCredential(request, exchange.dialect === 'openai' ? KEY_FIELDS : undefined);
  if (isRefusal(credential)) return next(credential);
  if (!credential) return next(auth.anonymous ? undefined : refuse('AUTH_REQUIRED'));
  if (!auth.kinds.includes(credential.kind === 'api-key' ? 'api-key' : 'jwt')) {
    return next(refuse('AUTH_REQUIRED', {}, { reason: `the route takes no ${credential.kind}` }));
  }

  const span = consultSpan(exchange, parts.tracer, 'auth');
  const presented = {
    // Not spread: an object that grows out of another costs more than the look-up it is made for.
    kind: credential.kind,
    value: credential.value,
    method: request.method,
    url: `${parts.publicUrl}${request.path}`,
    resource: '',
    trust: auth.trust,
    tenant,
    class: exchange.route.class,
    service: exchange.dialect === 'openai' ? '' : service,
    clientAddress: request.clientAddress,
  };
  parts.consults.verifier.verify(presented, (outcome, decidedBy = 'service') => {
    span?.end(isRefusal(outcome) ? { error: outcome.code } : undefined);
    if (exchange.over) return;
    exchange.decidedBy.auth = decidedBy;
    if (isRefusal(outcome)) return next(outcome);
    exchange.principal = outcome;
    const missing = auth.scopes.find((scope) => !outcome.scopes.has(scope));
    next(missing === undefined ? undefined : refuse('AUTH_SCOPE_MISSING', { scope: missing }));
  });
}

/**
 * Lets a call of a virtual model in, once it is known which one it is: what the model carries, beside what the endpoint
 * has asked already. A regulated model is called no sooner than a regulated route.
 */
export function admitModel(exchange: Exchange, parts: GatewayParts, model: string, next: () => void): void {
  const { configuration } = exchange;
  const name = `${exchange.principal!.tenant}/${model}`;
  const compiled = configuration?.modelPolicies.get(name);
  const isRegulated = configuration?.modelClasses.get(name) === 'regulated';
  const admitted = isRegulated ? () => recordAdmission(exchange, parts, next) : next;
  if (!compiled) return admitted();
  exchange.modelPolicies = compiled;
  attempt(exchange, parts, () => {
    for (const { at, run } of compiled.admit) {
      if (endedBy(exchange, parts, run(exchange.policyInput), at)) return;
    }
    askInTurn(exchange, parts, compiled.authorised, () => {
      const charges = attempt(exchange, parts, () => routeCharges(compiled, exchange.policyInput));
      if (charges) spendCharges(exchange, parts, charges, admitted);
    });
  });
}

function spend(exchange: Exchange, parts: GatewayParts, next: () => void): void {
  const charges = attempt(exchange, parts, () =>
    chargesOf(exchange.compiled!, exchange.consumerLimits, exchange.policyInput),
  );
  if (charges) spendCharges(exchange, parts, charges, next);
}

function spendCharges(exchange: Exchange, parts: GatewayParts, charges: readonly Charge[], next: () => void): void {
  if (charges.length === 0) return next();
  const span = consultSpan(exchange, parts.tracer, 'rate-limit');
  parts.consults.limiter.spend(exchange.route.tenant, charges, (spending, decidedBy = 'service') => {
    span?.end(spending.allowed ? undefined : { error: 'LIMIT_EXCEEDED' });
    if (exchange.over) return;
    exchange.decidedBy['rate-limit'] = decidedBy;
    const standings = withUnits(charges, spending.standings);
    exchange.standings = exchange.standings.length === 0 ? standings : [...exchange.standings, ...standings];
    if (!spending.allowed) return parts.refuse(exchange, limitExceeded(standings));
    next();
  });
}

/** A service answers in numbers, in the order of the charges; what they are numbers of, the charges know. */
function withUnits(charges: readonly Charge[], standings: readonly Standing[]): readonly Standing[] {
  if (!charges.some(({ unit }) => unit !== undefined)) return standings;
  return standings.map((standing, at) => {
    const unit = charges[at]?.unit;
    return unit === undefined ? standing : { ...standing, unit };
  });
}

function limitExceeded(standings: readonly Standing[]): Refusal {
  const wait = retryAfterMs(standings);
  const { policy, limit, windowSeconds, unit } = standings.find((standing) => standing.retryAfterMs === wait)!;
  const seconds = Math.max(1, Math.ceil(wait / 1000));
  const counted = unit === undefined ? 'requests' : 'bytes';
  return refuse(
    'LIMIT_EXCEEDED',
    { policy, limit, unit: counted, window: windowSeconds, seconds },
    { retryAfterMs: wait },
  );
}

/** On a regulated route nothing is done before it is on disk that it will be. */
function recordRegulated(exchange: Exchange, parts: GatewayParts, next: () => void): void {
  if (exchange.route.class !== 'regulated') return next();
  recordAdmission(exchange, parts, next);
}

function recordAdmission(exchange: Exchange, parts: GatewayParts, next: () => void): void {
  parts.recordAdmission(exchange, (refusal) => {
    if (exchange.over) return;
    if (refusal) return parts.refuse(exchange, refusal);
    next();
  });
}
