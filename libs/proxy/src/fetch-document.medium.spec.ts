import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fetchDocument } from './fetch-document';

describe('fetching a document', () => {
  let server: Server;
  let answer: RequestListener;
  let origin: string;
  let asked: string[];

  beforeAll(async () => {
    server = createServer((incoming, response) => {
      asked.push(incoming.url!);
      answer(incoming, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => (asked = []));
  afterAll(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });

  /** A busy machine, on which a first request compiles its parser, is not a server that is silent. */
  const fetchFrom = (url: string, changes = {}) =>
    fetchDocument({ url, allowPrivate: true, maxBytes: 1000, timeoutMs: 20_000, ...changes });

  it('hands over the bytes', async () => {
    answer = (_, response) => response.end('{"keys":[]}');
    expect(Buffer.from(await fetchFrom(`${origin}/jwks?v=1`)).toString()).toBe('{"keys":[]}');
    expect(asked).toEqual(['/jwks?v=1']);
  });

  it('goes nowhere an upstream may not be', async () => {
    for (const url of [
      origin,
      origin.replace('127.0.0.1', 'localhost'),
      origin.replace('127.0.0.1', '[::ffff:127.0.0.1]'),
    ]) {
      await expect(fetchFrom(url, { allowPrivate: false })).rejects.toThrow(/no upstream is allowed/);
    }
    await expect(fetchFrom('http://169.254.169.254/latest')).rejects.toThrow(/no upstream is allowed/);
    expect(asked).toEqual([]);
  });

  it('does not follow a redirect', async () => {
    answer = (_, response) => response.writeHead(302, { location: `${origin}/elsewhere` }).end();
    await expect(fetchFrom(origin)).rejects.toThrow('status 302');
    expect(asked).toEqual(['/']);
  });

  it('takes no more bytes than were asked for, announced or not', async () => {
    answer = (_, response) => response.end('x'.repeat(1001));
    await expect(fetchFrom(origin)).rejects.toThrow();
    answer = (_, response) => {
      response.write('x'.repeat(600));
      response.end('x'.repeat(600));
    };
    await expect(fetchFrom(origin)).rejects.toThrow();
  });

  it('gives up on a server that is silent, or stops half way', async () => {
    answer = () => undefined;
    await expect(fetchFrom(origin, { timeoutMs: 500 })).rejects.toThrow();
    answer = (_, response) => response.write('{');
    await expect(fetchFrom(origin, { timeoutMs: 500 })).rejects.toThrow();
  });
});
