import { Readable } from 'node:stream';
import type { UpstreamRequest } from '../../forward';
import { UnsendableRequest } from '../exchange-error';
import { framingOf, requestHead } from './request-head';

const timeouts = { connectMs: 1, firstByteMs: 1, idleMs: 1 };
const headOf = (more: Partial<UpstreamRequest>): string => {
  const request = { method: 'GET', path: '/a?b=c', fields: ['host', 'a'], body: undefined, timeouts, ...more };
  return requestHead(request, framingOf(request));
};
const body = Buffer.from('hello');

describe('the head of a request', () => {
  it.each([
    ['nothing to say of a body', {}, ''],
    ['no body where one is usual', { method: 'POST' }, 'content-length: 0\r\n'],
    ['a body at hand', { method: 'POST', body }, 'content-length: 5\r\n'],
    [
      'a body at hand whose length is given',
      { body, fields: ['host', 'a', 'content-length', '5'] },
      'content-length: 5\r\n',
    ],
    ['a stream', { body: new Readable() }, 'transfer-encoding: chunked\r\n'],
    [
      'a stream of known length',
      { body: new Readable(), fields: ['host', 'a', 'content-length', '9'] },
      'content-length: 9\r\n',
    ],
  ])('frames %s', (_, more: Partial<UpstreamRequest>, framing) => {
    expect(headOf(more)).toBe(`${more.method ?? 'GET'} /a?b=c HTTP/1.1\r\nhost: a\r\n${framing}\r\n`);
  });

  it.each([
    ['a line break in a value', { fields: ['x', 'a\r\nb: c'] }],
    ['a name that is none', { fields: ['x y', 'a'] }],
    ['a blank in a path', { path: '/a b' }],
    ['a line break in a path', { path: '/a\r\nx: y' }],
    ['a method that is none', { method: 'GET /x' }],
    ['framing that is ours to write', { fields: ['transfer-encoding', 'chunked'] }],
    ['connection fields', { fields: ['connection', 'x-a'] }],
    ['a length that is not the body’s', { body, fields: ['content-length', '4'] }],
    ['a length without a body', { fields: ['content-length', '4'] }],
    ['two lengths', { body, fields: ['content-length', '5', 'content-length', '5'] }],
  ])('is not written with %s', (_, more) => expect(() => headOf(more)).toThrow(UnsendableRequest));
});
