import type { Bytes } from '../bytes';
import { Entries } from './entries';
import type { Facts, RequestHeadFacts } from './facts';
import { scalar, type Variable } from './variable';

const line = (name: string, value: (request: RequestHeadFacts) => Bytes): Variable =>
  scalar(name, 'request', ({ request }) => Entries.single(value(request)));

/** Decodes every well-formed escape once, as libmodsecurity does with the target before it takes the path out of it. */
function unescape(text: Bytes): Bytes {
  let at = text.indexOf('%');
  if (at < 0) return text;
  let plain = '';
  let from = 0;
  while (at >= 0) {
    const byte = byteOf(text, at + 1);
    if (byte >= 0) {
      plain += text.slice(from, at) + String.fromCharCode(byte);
      from = at + 3;
    }
    at = text.indexOf('%', byte >= 0 ? from : at + 1);
  }
  return plain + text.slice(from);
}

/** @returns the byte that two hexadecimal digits stand for, -1 where these are none. */
function byteOf(text: Bytes, at: number): number {
  const high = digitOf(text.charCodeAt(at));
  const low = digitOf(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** A fragment has no place in a request (RFC 9112 §3.2); libmodsecurity looks at what stands before one. */
function withoutFragment(target: Bytes): Bytes {
  const hash = target.indexOf('#');
  return hash < 0 ? target : target.slice(0, hash);
}

function pathOf(request: RequestHeadFacts): Bytes {
  const target = withoutFragment(request.target);
  const question = target.indexOf('?');
  return unescape(question < 0 ? target : target.slice(0, question));
}

export function queryOf(received: Bytes): Bytes {
  const target = withoutFragment(received);
  const question = target.indexOf('?');
  return question < 0 ? '' : target.slice(question + 1);
}

/** What follows the last slash or backslash; the file name without a folder has none. */
function basenameOf(request: RequestHeadFacts): Bytes {
  const path = pathOf(request);
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
}

/** The decoded target without scheme and host. */
function uriOf({ target }: RequestHeadFacts): Bytes {
  const decoded = unescape(withoutFragment(target));
  if (decoded.startsWith('/')) return decoded;
  const colon = decoded.indexOf(':');
  if (colon < 0 || !decoded.startsWith('//', colon + 1)) return decoded;
  const path = decoded.indexOf('/', colon + 3);
  return path < 0 ? decoded : decoded.slice(path);
}

function requestLineOf({ line: received, method, target, protocol }: RequestHeadFacts): Bytes {
  return received ?? (protocol === '' ? `${method} ${target}` : `${method} ${target} ${protocol}`);
}

/** What the first line of a request is made of. */
export const requestLineVariables: readonly Variable[] = [
  line('REQUEST_METHOD', ({ method }) => method),
  line('REQUEST_PROTOCOL', ({ protocol }) => protocol),
  line('REQUEST_LINE', requestLineOf),
  line('REQUEST_URI_RAW', ({ target }) => target),
  line('REQUEST_URI', uriOf),
  line('REQUEST_FILENAME', pathOf),
  line('PATH_INFO', pathOf),
  line('REQUEST_BASENAME', basenameOf),
  line('QUERY_STRING', ({ target }) => queryOf(target)),
  scalar('FULL_REQUEST', 'body', (facts) => Entries.single(fullRequest(facts))),
  scalar('FULL_REQUEST_LENGTH', 'body', (facts) => Entries.single(String(fullRequest(facts).length))),
];

function fullRequest({ request, body }: Facts): Bytes {
  const fields = request.fields.map(({ name, value }) => `${name}: ${value}\n`).join('');
  return `${requestLineOf(request)}\n${fields}\n${body?.raw ?? ''}`;
}
