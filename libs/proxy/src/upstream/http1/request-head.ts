import { isSendable } from '../../headers-out';
import type { UpstreamRequest } from '../../forward';
import { fieldValue } from '../../raw-fields';
import { UnsendableRequest } from '../exchange-error';

/** How the body of a request is written. */
export type BodyFraming = 'none' | 'length' | 'chunked';

export function framingOf({ body, fields }: UpstreamRequest): BodyFraming {
  if (body === undefined) return 'none';
  return body instanceof Uint8Array || fieldValue(fields, 'content-length') !== undefined ? 'length' : 'chunked';
}

/**
 * The head of a request as it goes over the wire, in latin1.
 * @throws UnsendableRequest rather than write what the upstream could read in another way.
 */
export function requestHead({ method, path, fields, body }: UpstreamRequest, framing: BodyFraming): string {
  if (!/^[A-Z]+$/.test(method) || !/^[\x21-\x7e]+$/.test(path)) throw new UnsendableRequest('method or path');
  let head = `${method} ${path} HTTP/1.1\r\n`;
  let length: string | undefined;
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    const value = fields[at + 1]!;
    if (!isSendable(name, value) || endsHere(name)) throw new UnsendableRequest(`field ${name}`);
    if (name === 'content-length') {
      if (length !== undefined) throw new UnsendableRequest('two lengths');
      length = value;
    }
    head += `${name}: ${value}\r\n`;
  }
  return `${head}${framingField(method, body, framing, length)}\r\n`;
}

function framingField(
  method: string,
  body: UpstreamRequest['body'],
  framing: BodyFraming,
  length: string | undefined,
): string {
  if (framing === 'chunked') return 'transfer-encoding: chunked\r\n';
  const bytes = body instanceof Uint8Array ? String(body.length) : framing === 'none' ? '0' : length;
  if (length !== undefined) {
    if (length !== bytes) throw new UnsendableRequest('a length that is not the body’s');
    return '';
  }
  // RFC 9110 §8.6: a method that usually has a body says so when it has none.
  const said = framing === 'length' || method === 'POST' || method === 'PUT' || method === 'PATCH';
  return said ? `content-length: ${bytes}\r\n` : '';
}

/** Fields that are this module's own to write. */
function endsHere(name: string): boolean {
  return name === 'transfer-encoding' || name === 'connection' || name === 'upgrade' || name === 'keep-alive';
}
