import { refuse, type Refusal, type RequestHead } from '@sallyport/contracts';
import type { Presented } from './verifier';

/** The one credential of a request. */
export type Credential = Pick<Presented, 'kind' | 'value'>;

// RFC 6750 §2.1 over RFC 9110 §11.2, tightened: this spelling of the scheme, one space, one token68, nothing after it.
const BEARER = /^Bearer ([A-Za-z0-9\-._~+/]+=*)$/;
const KEY_PREFIX = 'sp_';
/** A query parameter that holds something of this shape is a credential, whatever its name. */
const KEY_SHAPE = /^sp_[a-z]+_[0-9A-Za-z]{40,}$/;

/**
 * Takes the credential from a request, exactly once: whatever could be read as two credentials, or stands where logs and
 * histories keep it, is refused. No refusal repeats any part of what was sent.
 *
 * @param keyHeaders names of fields, lower case, that carry an API key in the dialect of the endpoint (`x-api-key`);
 *   on every other endpoint such a field is the upstream's own business.
 * @returns undefined when nothing was presented; AUTH_MALFORMED when it cannot be read in exactly one way.
 */
export function takeCredential(
  head: Pick<RequestHead, 'fields' | 'query'>,
  keyHeaders: readonly string[] = [],
): Credential | Refusal | undefined {
  // RFC 9700 §4.3.2: URLs end in logs, histories and Referer fields.
  if (head.query !== '' && queryHoldsCredential(head.query))
    return malformed('a credential in the query is never taken');

  let authorization: string | undefined;
  let key: string | undefined;
  for (const { name, value } of head.fields) {
    if (name === 'authorization') {
      if (authorization !== undefined) return malformed('there is more than one Authorization field');
      authorization = value;
    } else if (keyHeaders.includes(name)) {
      if (key !== undefined) return malformed('there is more than one API key field');
      key = value;
    }
  }
  if (authorization === undefined) return key === undefined ? undefined : keyFieldCredential(key);
  if (key !== undefined) return malformed('there are two credentials');
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) return malformed('the Authorization field is not “Bearer”, one space and one token');
  return { kind: token.startsWith(KEY_PREFIX) ? 'api-key' : 'bearer', value: token };
}

function keyFieldCredential(value: string): Credential | Refusal {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(value)
    ? { kind: 'api-key', value }
    : malformed('the API key field is not one key');
}

function queryHoldsCredential(query: string): boolean {
  // Of most queries it is known at a glance: nothing in them is encoded, and neither word occurs.
  if (!/%|access_token|sp_/.test(query)) return false;
  return query.split('&').some((parameter) => {
    const equals = parameter.indexOf('=');
    const name = decoded(equals < 0 ? parameter : parameter.slice(0, equals));
    // RFC 6750 §2.3 named the parameter; OAuth 2.1 took it out.
    return name === 'access_token' || (equals >= 0 && KEY_SHAPE.test(decoded(parameter.slice(equals + 1))));
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text; // not UTF-8: then it is neither of the two things looked for
  }
}

function malformed(reason: string): Refusal {
  return refuse('AUTH_MALFORMED', { reason }, { reason });
}
