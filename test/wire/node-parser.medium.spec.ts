import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { isRefusal } from '@sallyport/contracts';
import { canonicalRequest, limits, RequestParser } from '@sallyport/proxy';
import { mutations } from './mutations';

/** One request as a parser read it. */
interface Read {
  readonly line: string;
  readonly fields: readonly string[];
  body: string;
  complete: boolean;
}

/** A connection that brings what it is given, and takes everything. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_: unknown, __: BufferEncoding, done: () => void): void {
    done();
  }
}

/** What Node's own parser, kept strict, reads. */
async function readByNode(text: string): Promise<Read[]> {
  const requests: Read[] = [];
  const ends: (() => void)[] = [];
  const server = createServer({ requireHostHeader: false, insecureHTTPParser: false });
  server.maxHeadersCount = 0;
  server.on('request', (incoming: IncomingMessage, response) => {
    const { method, url, httpVersion, rawHeaders } = incoming;
    const one: Read = { line: `${method} ${url} ${httpVersion}`, fields: rawHeaders, body: '', complete: false };
    requests.push(one);
    incoming.on('data', (chunk: Buffer) => (one.body += chunk.toString('latin1')));
    incoming.on('end', () => response.end());
    incoming.on('error', () => undefined);
    ends.push(() => (one.complete = incoming.complete));
  });
  // What was read before the complaint is looked at all the same.
  server.on('clientError', () => undefined);
  const wire = new Wire();
  wire.on('error', () => undefined);
  server.emit('connection', wire);
  wire.push(Buffer.from(text, 'latin1'));
  for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
  for (const end of ends) end();
  wire.destroy();
  server.close();
  return requests;
}

/** What the data door would serve: what its parser reads, up to the first request that is refused. */
function readByUs(text: string): Read[] {
  const requests: Read[] = [];
  const parser = new RequestParser(limits.head);
  for (let rest = Buffer.from(text, 'latin1'); rest.length > 0;) {
    rest = rest.subarray(parser.feed(rest));
    const { head } = parser;
    if (parser.fault || !head) break;
    const request = canonicalRequest({ ...head, remoteAddress: '127.0.0.1', encrypted: false }, limits.head);
    if (isRefusal(request)) break;
    requests.push({
      line: `${head.method} ${head.target} ${head.httpVersion}`,
      fields: head.rawHeaders,
      body: parser.pieces.map((piece) => piece.toString('latin1')).join(''),
      complete: parser.complete,
    });
    if (!parser.complete || !head.persistent) break;
    parser.next();
  }
  return requests;
}

it('takes no mutated message for a request that Node’s own strict parser does not read in the same way', async () => {
  const different: string[] = [];
  let alike = 0;
  for (const { name, bytes } of mutations()) {
    const text = bytes('/open/1');
    const ours = readByUs(text);
    const theirs = await readByNode(text);
    if (JSON.stringify(ours) === JSON.stringify(theirs.slice(0, ours.length))) alike += ours.length;
    else different.push(`${name}: ${JSON.stringify({ ours, theirs })}`);
  }
  expect(different).toEqual([]);
  expect(alike).toBeGreaterThan(300);
}, 120_000);
