import { errors, type ErrorCode } from './errors';
import type {
  Field as WireField,
  Principal as WirePrincipal,
  Refusal as WireRefusal,
  RequestHead as WireHead,
} from './gen/sallyport/common/v1/common';
import type { Principal } from './principal';
import { refuse, type Refusal } from './refusal';
import type { Field, RequestHead } from './request-head';

/**
 * Values that cross between processes, to their wire form and back. Both ends use these, so that a decision reads the
 * same at either distance.
 */

/** A parameter becomes text; `reason` stays behind: it is not meant for whoever asked. */
export function refusalToWire({ code, params, retryAfterMs }: Refusal): WireRefusal {
  const text = Object.entries(params).map(([name, value]): [string, string] => [name, String(value)]);
  return { code, params: Object.fromEntries(text), retryAfterMs: retryAfterMs ?? 0 };
}

/**
 * @param reason where it travels beside the refusal.
 * @returns the refusal; one with a code this process does not know yet is still a refusal, as INTERNAL.
 */
export function refusalFromWire(wire: WireRefusal, reason?: string): Refusal {
  const known = Object.hasOwn(errors, wire.code);
  return refuse(known ? (wire.code as ErrorCode) : 'INTERNAL', known ? wire.params : {}, {
    ...((reason || !known) && { reason: reason || `refused with the unknown code ${wire.code}` }),
    ...(wire.retryAfterMs > 0 && { retryAfterMs: wire.retryAfterMs }),
  });
}

export function principalToWire(principal: Principal): WirePrincipal {
  const { actors, scopes, roles, credential, until, models, quotas, ...names } = principal;
  return {
    ...names,
    actors: [...actors],
    scopes: [...scopes],
    roles: [...roles],
    credential: { ...credential },
    untilMs: BigInt(Math.floor(until)),
    models: [...models],
    quotas: quotas.map((quota) => ({ ...quota })),
  };
}

/** @returns the principal, frozen: it is shared between requests. */
export function principalFromWire(wire: WirePrincipal): Principal {
  return Object.freeze({
    tenant: wire.tenant,
    subject: wire.subject,
    client: wire.client,
    consumer: wire.consumer,
    actors: Object.freeze(wire.actors),
    scopes: new Set(wire.scopes),
    roles: Object.freeze(wire.roles),
    credential: Object.freeze({ kind: wire.credential?.kind ?? '', id: wire.credential?.id ?? '' }),
    until: Number(wire.untilMs),
    models: Object.freeze(wire.models),
    quotas: Object.freeze(wire.quotas),
  });
}

/** Text of a request is bytes on the wire: a string there would have to be UTF-8, and requests are not. */
export function requestHeadToWire(head: RequestHead): WireHead {
  return {
    method: head.method,
    scheme: head.scheme,
    authority: head.authority,
    path: head.path,
    query: Buffer.from(head.query, 'latin1'),
    rawTarget: Buffer.from(head.rawTarget, 'latin1'),
    version: head.version,
    fields: head.fields.map(fieldToWire),
    clientAddress: head.clientAddress,
    contentLength: head.contentLength === undefined ? undefined : BigInt(head.contentLength),
    hasBody: head.hasBody,
    mediaType: head.mediaType ?? '',
    hasQuery: head.hasQuery,
    removed: (head.removed ?? []).map(fieldToWire),
  };
}

export function requestHeadFromWire(wire: WireHead): RequestHead {
  const fields = wire.fields.map(fieldFromWire);
  return Object.freeze({
    method: wire.method,
    scheme: wire.scheme === 'https' ? 'https' : 'http',
    authority: wire.authority,
    path: wire.path,
    query: wire.query.toString('latin1'),
    hasQuery: wire.hasQuery,
    rawTarget: wire.rawTarget.toString('latin1'),
    version: wire.version === '2' || wire.version === '1.0' ? wire.version : '1.1',
    fields: Object.freeze(fields),
    ...(wire.removed.length > 0 && { removed: Object.freeze(wire.removed.map(fieldFromWire)) }),
    field: fieldsByName(fields),
    clientAddress: wire.clientAddress,
    contentLength: wire.contentLength === undefined ? undefined : Number(wire.contentLength),
    hasBody: wire.hasBody,
    mediaType: wire.mediaType || undefined,
  });
}

function fieldToWire({ name, value }: Field): WireField {
  return { name, value: Buffer.from(value, 'latin1') };
}

function fieldFromWire({ name, value }: WireField): Field {
  return { name, value: value.toString('latin1') };
}

/** Several fields of one name are one list (RFC 9110 §5.3); cookies are joined as RFC 9113 §8.2.3 says. */
export function fieldsByName(fields: readonly Field[]): ReadonlyMap<string, string> {
  const joined = new Map<string, string>();
  for (const { name, value } of fields) {
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`);
  }
  return joined;
}
