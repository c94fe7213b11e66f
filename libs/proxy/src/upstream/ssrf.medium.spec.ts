import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Lookup } from '../address-guard';
import { fetchDocument } from '../fetch-document';
import { UpstreamPools } from '../pool';
import { exchangeWith } from './gathered.suite';

/** A server where nobody may be led to; it counts who came. */
let canary: Server;
let port: number;
let visits = 0;

beforeAll(async () => {
  canary = createServer((_, response) => response.end('secret'));
  canary.on('connection', () => visits++);
  await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
  ({ port } = canary.address() as AddressInfo);
});

afterAll(() => new Promise((resolve) => canary.close(resolve)));

beforeEach(() => (visits = 0));

/** Each in a host of its own, as `fetch`, `curl` and resolvers read them. */
const loopback = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '2130706433',
  '0x7f000001',
  '0x7f.0x0.0x0.0x1',
  '0177.0.0.1',
  '017700000001',
  '127.0.0.1.',
  '%31%32%37.0.0.1',
  '１２７.０.０.１',
  '127。0。0。1',
  'localhost',
  'LOCALHOST',
  'localhost.',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '0.0.0.0',
  '0',
  '[::]',
];

const metadata = [
  '169.254.169.254',
  '2852039166',
  '0xa9fea9fe',
  '0xa9.0xfe.0xa9.0xfe',
  '0251.0376.0251.0376',
  '169.254.43518',
  '169.16689662',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[::169.254.169.254]',
  '[64:ff9b::a9fe:a9fe]',
  '[fd00:ec2::254]',
  '[fe80::a9fe:a9fe]',
  '169.254.169.254.',
  '１６９.２５４.１６９.２５４',
];

const protocols = ['http1', 'http2'] as const;

async function callTo(url: string, allowPrivate: boolean, lookup?: Lookup, protocol: 'http1' | 'http2' = 'http1') {
  const pools = new UpstreamPools(lookup);
  try {
    return await exchangeWith(pools.client({ url, allowPrivate, connectMs: 500, protocol }));
  } finally {
    await pools.destroy();
  }
}

const answering =
  (...addresses: string[]): Lookup =>
  (_, __, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

describe('rel-T58: an upstream is never led to where nobody may be', () => {
  it.each(loopback)('%s is no way to this machine unless private is meant', async (host) => {
    for (const protocol of protocols) {
      const sink = await callTo(`http://${host}:${port}`, false, undefined, protocol);
      expect(sink.refusal).toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
    }
    await expect(
      fetchDocument({ url: `http://${host}:${port}/jwks`, allowPrivate: false, maxBytes: 1_000, timeoutMs: 500 }),
    ).rejects.toThrow();
    expect(visits).toBe(0);
  });

  it.each(metadata)('%s is no way to the metadata of the machine, whatever is meant', async (host) => {
    for (const protocol of protocols) {
      const sink = await callTo(`http://${host}:${port}`, true, undefined, protocol);
      expect(sink.refusal).toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
      expect(sink.refusal!.reason).toContain('where no upstream is allowed');
    }
    await expect(
      fetchDocument({ url: `http://${host}:${port}/`, allowPrivate: true, maxBytes: 1_000, timeoutMs: 500 }),
    ).rejects.toThrow(/where no upstream is allowed/);
  });

  it.each([
    '169.254.169.254',
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    'fd00:ec2::254',
    '0.0.0.0',
  ])('a name that leads to %s is not followed', async (address) => {
    for (const protocol of protocols)
      expect(
        (await callTo(`http://innocent.example:${port}`, false, answering(address), protocol)).refusal,
      ).toMatchObject({
        code: 'UPSTREAM_UNREACHABLE',
      });
    expect(visits).toBe(0);
  });

  it('a name whose answer changes between one look and the next is judged by the answer that is connected to', async () => {
    let asked = 0;
    const rebinding: Lookup = (_, __, callback) => {
      asked++;
      callback(null, [{ address: asked % 2 === 1 ? '203.0.113.9' : '127.0.0.1', family: 4 }]);
    };
    for (let n = 0; n < 6; n++) await callTo(`http://rebinding.example:${port}`, false, rebinding);
    expect(asked).toBe(6);
    expect(visits).toBe(0);
  });

  it('of a name with several addresses only those that are allowed are tried', async () => {
    const sink = await callTo(`http://mixed.example:${port}`, true, answering('169.254.169.254', '127.0.0.1'));
    expect(sink.text).toBe('secret');
    visits = 0;
    const refused = await callTo(`http://mixed.example:${port}`, false, answering('127.0.0.1', '::1'));
    expect(refused.refusal!.code).toBe('UPSTREAM_UNREACHABLE');
    expect(visits).toBe(0);
  });

  it.each([
    ['a fragment', (host: string) => `http://allowed.example#@${host}/`],
    ['a user', (host: string) => `http://allowed.example@${host}/`],
    ['a user and a password', (host: string) => `http://allowed.example:80@${host}/`],
    ['an encoded at', (host: string) => `http://allowed.example%40${host}/`],
    ['a backslash', (host: string) => `http://allowed.example\\@${host}/`],
    ['a query', (host: string) => `http://allowed.example?@${host}/`],
  ])('%s in the place of the host does not hide where it leads', async (_, urlOf) => {
    const asked: string[] = [];
    const lookup: Lookup = (host, __, callback) => {
      asked.push(host);
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    };
    let refusal: unknown;
    try {
      refusal = (await callTo(urlOf(`127.0.0.1:${port}`), false, lookup)).refusal;
    } catch (error) {
      // Not a URL at all is as good as refused.
      refusal = error;
    }
    expect(refusal).toBeDefined();
    expect(visits).toBe(0);
    expect(asked.every((host) => host === 'allowed.example')).toBe(true);
  });

  it('a redirect inward is an answer like any other', async () => {
    const outer = createServer((_, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end(),
    );
    await new Promise<void>((resolve) => outer.listen(0, '127.0.0.1', resolve));
    const sink = await callTo(`http://127.0.0.1:${(outer.address() as AddressInfo).port}`, true);
    outer.closeAllConnections();
    await new Promise((resolve) => outer.close(resolve));
    expect(sink.status).toBe(302);
    expect(visits).toBe(0);
  });

  it.each([
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'ftp://127.0.0.1/',
    'data:text/plain,a',
    'unix:/run/docker.sock',
  ])('%s is no upstream', async (url) => {
    await expect(callTo(url, true)).rejects.toThrow();
    await expect(fetchDocument({ url, allowPrivate: true, maxBytes: 1_000, timeoutMs: 500 })).rejects.toThrow();
  });
});
