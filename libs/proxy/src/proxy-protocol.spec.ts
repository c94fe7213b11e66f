import fc from 'fast-check';
import { readProxyHeader } from './proxy-protocol';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function binary(command: number, family: number, payload: Buffer): Buffer {
  const head = Buffer.from([command, family, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([SIGNATURE, head, payload]);
}

const IPV4 = Buffer.from('c0000207c6336409115c01bb', 'hex');
const IPV6 = Buffer.concat([
  Buffer.from(`20010db8${'0'.repeat(23)}1`, 'hex'),
  Buffer.alloc(16),
  Buffer.from('115c01bb', 'hex'),
]);

describe('a PROXY header', () => {
  it.each([
    ['of IPv4', 'PROXY TCP4 192.0.2.7 198.51.100.9 4444 443\r\n', '192.0.2.7'],
    ['of IPv6', 'PROXY TCP6 2001:db8::7 2001:db8::9 4444 443\r\n', '2001:db8::7'],
    ['of IPv4 in IPv6', 'PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.9 4444 443\r\n', '192.0.2.7'],
    ['of nobody', 'PROXY UNKNOWN\r\n', undefined],
    ['of nobody, with more', 'PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n', undefined],
  ])('in text names the caller: %s', (_, line, address) => {
    expect(readProxyHeader(Buffer.from(`${line}GET / HTTP/1.1`))).toEqual({
      state: 'read',
      bytes: line.length,
      address,
    });
    for (let cut = 0; cut < line.length; cut++) {
      expect(readProxyHeader(Buffer.from(line.slice(0, cut))).state).toBe('more');
    }
  });

  it.each([
    ['of IPv4', binary(0x21, 0x11, IPV4), '192.0.2.7'],
    ['of IPv6', binary(0x21, 0x21, IPV6), '2001:db8:0:0:0:0:0:1'],
    [
      'with more behind the addresses',
      binary(0x21, 0x11, Buffer.concat([IPV4, Buffer.from('040001ff', 'hex')])),
      '192.0.2.7',
    ],
    ['of the balancer itself', binary(0x20, 0x00, Buffer.alloc(0)), undefined],
  ])('in binary names the caller: %s', (_, header, address) => {
    const with_ = Buffer.concat([header, Buffer.from('GET /')]);
    expect(readProxyHeader(with_)).toEqual({ state: 'read', bytes: header.length, address });
    for (let cut = 0; cut < header.length; cut++) expect(readProxyHeader(header.subarray(0, cut)).state).toBe('more');
  });

  it.each([
    'GET / HTTP/1.1\r\n',
    'PROXY\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.9 4444\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.9 4444 443 1\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.9 04444 443\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.9 4444 65536\r\n',
    'PROXY TCP4  192.0.2.7 198.51.100.9 4444 443\r\n',
    'PROXY TCP4 2001:db8::7 2001:db8::9 4444 443\r\n',
    'PROXY TCP6 192.0.2.7 198.51.100.9 4444 443\r\n',
    'PROXY TCP6 fe80::1%eth0 2001:db8::9 4444 443\r\n',
    'PROXY UDP4 192.0.2.7 198.51.100.9 4444 443\r\n',
    'proxy TCP4 192.0.2.7 198.51.100.9 4444 443\r\n',
    `PROXY TCP4 ${'1'.repeat(120)}`,
  ])('is refused where it is none: %s', (text) => {
    expect(readProxyHeader(Buffer.from(text)).state).toBe('fault');
  });

  it.each([
    ['another version', binary(0x31, 0x11, IPV4)],
    ['another command', binary(0x22, 0x11, IPV4)],
    ['datagrams', binary(0x21, 0x12, IPV4)],
    ['a socket of the file system', binary(0x21, 0x31, Buffer.alloc(216))],
    ['too little', binary(0x21, 0x11, IPV4.subarray(0, 8))],
    ['too much', binary(0x21, 0x11, Buffer.alloc(4_000))],
  ])('is refused where it is none: %s', (_, header) => {
    expect(readProxyHeader(header).state).toBe('fault');
  });

  it('never throws', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.uint8Array().map((rest) => Buffer.concat([SIGNATURE, rest])),
    );
    fc.assert(fc.property(bytes, (some) => void readProxyHeader(Buffer.from(some))));
  });
});
