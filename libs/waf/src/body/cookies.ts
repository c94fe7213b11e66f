import type { Bytes } from '../bytes';
import { skipSpace, trimEnd } from './ascii';
import type { BodyArgument } from './parsed-body';

/**
 * Takes one Cookie field apart as ModSecurity does: split at `;`, then at the first `=`; white space before a name goes, all
 * other stays, and so do quotes and escapes. What has no name is left out.
 */
export function splitCookies(field: Bytes): BodyArgument[] {
  const cookies: BodyArgument[] = [];
  for (const cookie of trimEnd(field).split(';')) {
    const equals = cookie.indexOf('=');
    const name = cookie.slice(skipSpace(cookie, 0), equals < 0 ? cookie.length : equals);
    if (name !== '') cookies.push({ name, value: equals < 0 ? '' : cookie.slice(equals + 1) });
  }
  return cookies;
}
