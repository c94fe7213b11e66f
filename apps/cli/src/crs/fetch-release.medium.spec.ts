import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { fetchRelease } from './release';

/** One entry of a tar archive (POSIX.1-1988). */
function entry(name: string, content: string, type = '0', link = ''): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write(link, 157);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, Buffer.from(content), Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const SIGN = 'crs-9/rules/REQUEST-901-INITIALIZATION.conf';
const archive = (...entries: Buffer[]): Buffer => gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));

describe('a release that is fetched', () => {
  let server: Server;
  let url: string;
  let answer: (incoming: IncomingMessage, response: ServerResponse) => void;
  let asked: string[];

  beforeEach(async () => {
    asked = [];
    server = createServer((incoming, response) => {
      asked.push(incoming.url!);
      answer(incoming, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const give = (bytes: Buffer) => (answer = (_, response) => void response.end(bytes));

  it('is unpacked in memory, without its outer folder and without links', async () => {
    give(archive(entry(SIGN, '# rules'), entry('crs-9/rules/passwd', '', '2', '/etc/passwd')));
    const files = await fetchRelease(url);
    expect([...files.keys()]).toEqual(['rules/REQUEST-901-INITIALIZATION.conf']);
  });

  it('may be somewhere else', async () => {
    const bytes = archive(entry(SIGN, '# rules'));
    answer = ({ url: path }, response) =>
      void (path === '/' ? response.writeHead(302, { location: '/there' }).end() : response.end(bytes));
    expect((await fetchRelease(url)).size).toBe(1);
    expect(asked).toEqual(['/', '/there']);
  });

  it.each([
    ['round and round', '/', 'redirected more than 5 times', 6],
    ['to a file of this machine', 'file:///etc/passwd', 'not https', 1],
  ])('is not looked for %s', async (_, location, message, requests) => {
    answer = (__, response) => void response.writeHead(302, { location }).end();
    await expect(fetchRelease(url)).rejects.toMatchObject({
      message: expect.stringContaining(message),
      facts: { exitCode: 69 },
    });
    expect(asked).toHaveLength(requests);
  });

  it('is refused when a path leads out of it', async () => {
    give(archive(entry(SIGN, ''), entry('crs-9/../../evil', 'x')));
    await expect(fetchRelease(url)).rejects.toMatchObject({
      message: expect.stringContaining('leads out of it'),
      facts: { exitCode: 1 },
    });
  });

  it('is read no further than an archive may be long', async () => {
    let sent = 0;
    answer = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 20))) sent += 1;
        sent += 1;
      };
      response.on('drain', more);
      more();
    };
    await expect(fetchRelease(url)).rejects.toMatchObject({
      message: expect.stringContaining('larger'),
      facts: { exitCode: 1 },
    });
    expect(sent).toBeLessThan(64);
  });

  it('is no bomb', async () => {
    give(gzipSync(Buffer.alloc(65 * 1024 * 1024)));
    await expect(fetchRelease(url)).rejects.toMatchObject({
      message: expect.stringContaining('unpacked'),
      facts: { exitCode: 1 },
    });
  });

  it.each([
    ['that is not there', (response: ServerResponse) => void response.writeHead(404).end(), 'it answers 404'],
    ['that breaks off', (response: ServerResponse) => response.writeHead(200, { 'content-length': 9 }).destroy(), ''],
    ['that never comes', () => undefined, ''],
  ])('%s cannot be had, and the way without it is named', async (_, give, message) => {
    answer = (__, response) => give(response);
    await expect(fetchRelease(url, 500)).rejects.toMatchObject({
      message: expect.stringContaining(message),
      facts: { exitCode: 69, next: expect.stringContaining('--from') },
    });
  });
});
