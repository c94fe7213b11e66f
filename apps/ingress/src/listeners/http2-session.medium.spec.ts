import { constants, type ClientHttp2Session } from 'node:http2';
import { isRefusal } from '@sallyport/contracts';
import { canonicalRequest, defaultListenerLimits, type ListenerLimits } from '@sallyport/proxy';
import { freePort, someRoute } from '@sallyport/testkit';
import { GOOD_KEY, IngressUnderTest, RecordingUpstream, someUpstream, until } from '../ingress-under-test';
import { plainConnection, type Connection, type Handle, type Incoming, type Outgoing } from './connection';
import { listenHttp, type HttpListener } from './http';
import { Http2Sessions, type Abuse } from './http2-session';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  frame,
  get2,
  HEADERS,
  literal,
  RawHttp2Client,
  RST_STREAM,
  SETTINGS,
  uint32,
  withSession,
} from './http2-under-test';

jest.setTimeout(30_000);

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_SETTINGS_TIMEOUT } = constants;

let listener: HttpListener | undefined;
let port: number;
let seen: Incoming[];
let abuses: Abuse[];
let defects: unknown[];
/** Milliseconds, as the connections are told. */
let now: () => number;
let respond: (incoming: Incoming, response: Outgoing, connection: Connection) => void;

beforeEach(() => {
  seen = [];
  abuses = [];
  defects = [];
  now = () => performance.now();
  respond = (_, response) => ok(response);
});
afterEach(async () => {
  clients.splice(0).forEach((client) => client.destroy());
  await listener?.close();
  listener = undefined;
});

describe('an HTTP/2 connection', () => {
  it('outlives a client that hides its streams while an answer waits for it', async () => {
    let late = 0;
    now = () => performance.now() + late;
    respond = (_, response) => {
      // Both happen between two looks: many ids are gone, and it is time to ask for a sign of life.
      if (seen.length === 2) late = defaultListenerLimits.headersMs + 1;
      ok(response);
    };
    await open({ checkMs: 50 });
    const client = raw(noWindow);
    await until(() => client.frames(SETTINGS).length > 0);
    client.write(frame(SETTINGS, ACK, 0), request(1));
    await until(() => seen.length === 1);
    client.write(request(2001));
    await until(() => client.goaways.length > 0);
    expect([defects, client.goaways]).toEqual([[], [NGHTTP2_NO_ERROR]]);
    await withHttp2(async (session) => expect((await get2(session, '/')).body).toBe('ok'));
  });

  it('goes on where its client skips ids, and ends without an error where these are many (RFC 9113 §5.1.1)', async () => {
    await open({ checkMs: 20 });
    const few = raw();
    const many = raw();
    few.write(request(1), request(151));
    many.write(request(1), request(2001));
    await until(() => seen.length === 4 && many.closed);
    expect([new Set(many.goaways), many.frames(RST_STREAM)]).toEqual([new Set([NGHTTP2_NO_ERROR]), []]);
    few.write(request(153));
    await until(() => few.frames(HEADERS).length === 3);
    expect(few.goaways).toEqual([]);
  });

  it('ends where streams are hidden from whoever counts them, and hides none after that', async () => {
    respond = () => undefined;
    await open({ checkMs: 20 });
    const client = raw();
    // Until the client has agreed to them our settings bind nobody (RFC 9113 §6.5.3).
    await until(() => client.frames(SETTINGS).length === 2);
    client.write(frame(SETTINGS, ACK, 0), request(1));
    await until(() => seen.length === 1);
    const hidden = Buffer.alloc(12, 0xbe);
    client.write(request(3, literal('x', 'v'.repeat(3900)), hidden));
    client.write(...ids(150).map((id) => request(id + 4, hidden)));
    await until(() => client.goaways.length > 0);
    expect([client.goaways, abuses]).toEqual([[NGHTTP2_NO_ERROR], ['hidden-streams']]);
    const resets = client.frames(RST_STREAM).length;
    expect(resets).toBeGreaterThan(100);
    client.write(...ids(150).map((id) => request(id + 400, hidden)), frame(6, 0, 0, Buffer.alloc(8)));
    await until(() => client.frames(6).length > 0);
    expect([client.frames(RST_STREAM).length, seen.length]).toEqual([resets, 1]);
  });

  it('ends where its client never agrees to our settings (RFC 9113 §6.5.3)', async () => {
    await open({ headersMs: 100, checkMs: 20 });
    const silent = raw();
    const agreed = raw();
    await until(() => agreed.frames(SETTINGS).length > 0);
    agreed.write(frame(SETTINGS, ACK, 0), request(1));
    silent.write(request(1));
    await until(() => silent.closed);
    expect([silent.goaways.at(-1), agreed.closed]).toEqual([NGHTTP2_SETTINGS_TIMEOUT, false]);
  });

  it('that was told to go lets an answer take its time', async () => {
    let finish: () => void = () => undefined;
    respond = (_, response) => (finish = () => ok(response));
    await open({ headersMs: 100, checkMs: 20 });
    await withHttp2(async (session) => {
      const answer = get2(session, '/');
      await until(() => seen.length === 1);
      listener!.stopAccepting();
      await new Promise((resolve) => setTimeout(resolve, 500));
      finish();
      expect((await answer).body).toBe('ok');
    });
  });

  it('that cannot be judged is ended and told of, and no other one', async () => {
    const fault = new Error('a defect');
    let broken = false;
    now = () => {
      if (!broken) return performance.now();
      broken = false;
      throw fault;
    };
    await open({ checkMs: 20 });
    await withHttp2(async (session) => {
      await get2(session, '/');
      await withHttp2(async (other) => {
        await get2(other, '/');
        broken = true;
        await until(() => session.destroyed);
        expect([defects, (await get2(other, '/')).body]).toEqual([[fault], 'ok']);
      });
    });
  });
});

describe('an answer over HTTP/2', () => {
  const answerWith = (fields: string[], trailers?: string[]): void => {
    respond = (_, response) => {
      if (trailers) response.expectTrailers!();
      response.writeHead(200, fields);
      if (trailers) response.trailers!(trailers);
      response.end(Buffer.from('ok'));
    };
  };
  const ofConnections = ['connection', 'http2-settings', 'keep-alive', 'proxy-connection', 'te', 'upgrade'];

  it('and what follows it say nothing of a connection (RFC 9113 §8.2.2)', async () => {
    const fields = [...ofConnections, 'transfer-encoding', 'x-own'].flatMap((name) => [name, 'a']);
    answerWith(fields, fields);
    await open();
    await withHttp2(async (session) => {
      const answer = await get2(session, '/');
      expect(Object.keys(answer.fields)).toEqual([':status', 'x-own', 'date']);
      expect(Object.keys(answer.trailers)).toEqual(['x-own']);
    });
  });

  it('has fields of any name once each, also what every object has, and what must stand alone', async () => {
    answerWith(
      ['constructor', 'x', '__proto__', 'y', 'etag', '"a"', 'etag', '"b"'],
      ['tostring', 'x', '__proto__', 'y'],
    );
    await open();
    const client = raw();
    client.write(request(1));
    await until(() => client.frames(HEADERS).length === 2);
    const [head, trailers] = client.frames(HEADERS).map(({ payload }) => payload.toString('latin1'));
    expect([head!.includes('native'), trailers!.includes('object')]).toEqual([false, false]);
    await withHttp2(async (session) => {
      const answer = await get2(session, '/');
      expect(Object.entries(answer.fields)).toEqual(
        expect.arrayContaining([
          ['constructor', 'x'],
          ['__proto__', 'y'],
          ['etag', '"a", "b"'],
        ]),
      );
      expect(Object.entries(answer.trailers)).toEqual([
        ['tostring', 'x'],
        ['__proto__', 'y'],
      ]);
    });
  });

  it.each<[string, number, string[], string[]]>([
    ['a status that does not exist', 199, [], []],
    ['a field twice, in two ways to write it', 200, ['ETag', 'a', 'etag', 'b'], []],
    ['such a field behind the body', 200, [], ['ETag', 'a', 'etag', 'b']],
  ])('that cannot be sent costs its stream, and is our defect: %s', async (_, status, fields, trailers) => {
    await open();
    await withHttp2(async (session) => {
      const usual = respond;
      respond = (_incoming, response) => {
        response.expectTrailers!();
        response.writeHead(status, fields);
        response.trailers!(trailers);
        response.end(Buffer.from('ok'));
      };
      await expect(get2(session, '/')).rejects.toThrow('NGHTTP2_INTERNAL_ERROR');
      respond = usual;
      expect([defects.length, (await get2(session, '/')).body]).toEqual([1, 'ok']);
    });
  });

  it('never holds a field that ends another one: whoever writes it is told at once', async () => {
    const faults: unknown[] = [];
    respond = (_, response) => {
      for (const fields of [
        ['x-a', 'b\0c'],
        ['x a', 'b'],
        [':status', '201'],
      ])
        try {
          response.writeHead(200, fields);
        } catch (error) {
          faults.push(error);
        }
      ok(response);
    };
    await open();
    await withHttp2(async (session) => expect((await get2(session, '/')).fields[':status']).toBe(200));
    expect(faults).toHaveLength(3);
  });

  it('of an HTTP/1.1 upstream leaves its connection behind, whatever it calls it', async () => {
    const upstream = await RecordingUpstream.listen();
    upstream.respond = (_, response) =>
      response.writeHead(200, { 'http2-settings': 'AAMAAABk', 'x-own': 'a' }).end('ok');
    const ingress = await IngressUnderTest.start({ doors: { test: { http2: true } } });
    await ingress.publish([someRoute()], someUpstream(upstream.url));
    port = ingress.port;
    await withHttp2(async (session) => {
      const { fields, body } = await get2(session, '/orders', { authorization: GOOD_KEY });
      expect([fields['x-own'], fields['http2-settings'], body]).toEqual(['a', undefined, 'ok']);
    });
    await ingress.close();
    await upstream.close();
  });
});

describe('an HTTP/2 client that gives up what it asked for', () => {
  it.each([NGHTTP2_NO_ERROR, NGHTTP2_CANCEL])(
    'again and again is sent GOAWAY, whatever it says: %s (CVE-2023-44487)',
    async (code) => {
      respond = () => undefined;
      await open();
      const client = raw();
      for (let at = 0; at < 150 && client.goaways.length === 0; at++) {
        client.write(request(1 + 2 * at));
        await until(() => seen.length === at + 1 || client.goaways.length > 0);
        client.write(frame(RST_STREAM, 0, 1 + 2 * at, uint32(code)));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await until(() => client.goaways.length > 0);
      expect([client.goaways, abuses]).toEqual([[NGHTTP2_ENHANCE_YOUR_CALM], ['resets']]);
    },
  );

  it.each([
    ['NO_ERROR', NGHTTP2_NO_ERROR, []],
    ['CANCEL', NGHTTP2_CANCEL, []],
    ['CANCEL, where we leave it as well', NGHTTP2_CANCEL, ['connection', 'close']],
  ])('when it has its answer is welcome: an upload that ends with %s (RFC 9113 §8.1)', async (_, code, fields) => {
    respond = (_incoming, response) => ok(response, 413, fields);
    await open();
    await withHttp2(async (session) => {
      for (let at = 0; at < 150; at++) {
        const upload = session.request({ ':method': 'POST', ':path': '/' });
        upload.on('error', () => undefined);
        upload.write('a part');
        upload.resume();
        await new Promise((resolve) => upload.on('end', resolve));
        upload.close(code);
      }
      expect((await get2(session, '/')).fields[':status']).toBe(413);
      expect(abuses).toEqual([]);
    });
  });

  it('is not one whose answers we break off', async () => {
    respond = ({ url, socket }, response) => {
      if (url === '/') return ok(response);
      if (url === '/left') return socket.destroySoon();
      response.writeHead(200, ['content-length', '9']);
      response.write(Buffer.from('half'));
      response.destroy();
    };
    await open();
    await withHttp2(async (session) => {
      for (let at = 0; at < 150; at++) await get2(session, at % 2 ? '/left' : '/cut').catch(() => undefined);
      expect([(await get2(session, '/')).body, abuses]).toEqual(['ok', []]);
    });
  });

  it('is not one that reads its answers, of whatever kind', async () => {
    respond = ({ url }, response) => {
      if (url === '/empty') return (void response.writeHead(204, []), void response.end());
      if (url !== '/trailers') return ok(response);
      response.expectTrailers!();
      response.writeHead(200, []);
      response.trailers!(['grpc-status', '0']);
      response.end(Buffer.from('ok'));
    };
    await open();
    await withHttp2(async (session) => {
      for (let at = 0; at < 150; at++) {
        const asked = [get2(session, '/'), get2(session, '/empty'), get2(session, '/trailers')];
        await Promise.all([...asked, get2(session, '/', { ':method': 'HEAD' })]);
      }
      expect([seen.length, abuses]).toEqual([600, []]);
    });
  });
});

describe('an HTTP/2 client that abuses the protocol', () => {
  const window = (id: number, increment: number): Buffer => frame(8, 0, id, uint32(increment));
  const opening = (id: number): Buffer => frame(HEADERS, END_HEADERS, id, head);
  const bomb = Buffer.concat([literal('x', 'v'.repeat(3900)), Buffer.alloc(12_000, 0xbe)]);
  const again = Buffer.alloc(16_000, 0xbe);

  it.each<[string, () => Buffer[], number | 'any' | undefined]>([
    [
      '10,000 streams that are reset at once (rapid reset)',
      () => ids(10_000).flatMap((id) => [opening(id), frame(3, 0, id, uint32(8))]),
      NGHTTP2_ENHANCE_YOUR_CALM,
    ],
    [
      'streams it makes us reset (MadeYouReset)',
      () => ids(400).flatMap((id) => [opening(id), window(id, 0x7fffffff)]),
      undefined,
    ],
    [
      '10,000 PING frames',
      () => Array.from({ length: 10_000 }, () => frame(6, 0, 0, Buffer.alloc(8))),
      NGHTTP2_ENHANCE_YOUR_CALM,
    ],
    ['10,000 SETTINGS frames', () => Array.from({ length: 10_000 }, () => frame(4, 0, 0)), undefined],
    ['a WINDOW_UPDATE of nothing on the connection', () => [window(0, 0)], undefined],
    ['a window that overflows', () => [window(0, 0x7fffffff), window(0, 0x7fffffff)], undefined],
    [
      'a flood of CONTINUATION frames',
      () => [
        frame(HEADERS, END_STREAM, 1, head),
        ...Array.from({ length: 5_000 }, () => frame(9, 0, 1, literal('a', 'b'))),
      ],
      undefined,
    ],
    [
      'header lists that unpack to megabytes (HPACK bomb)',
      () => ids(300).map((id) => request(id, id === 1 ? bomb : again)),
      'any',
    ],
    ['malformed heads again and again', () => ids(400).map((id) => request(id, literal('Connection', 'x'))), undefined],
    ['more streams than it may open', () => ids(400).map((id) => opening(id)), undefined],
    ['DATA on a stream that was never opened', () => [frame(0, 0, 1, Buffer.from('x'))], undefined],
    ['an even stream id', () => [request(2)], undefined],
    ['a frame that is wrong while streams are open', () => [opening(1), frame(0, 0, 3)], undefined],
    ['a frame larger than it may be', () => [frame(0, 0, 1, Buffer.alloc(20_000))], undefined],
    ['a header block within a header block', () => [frame(HEADERS, END_STREAM, 1, head), request(3)], undefined],
    ['PUSH_PROMISE from a client', () => [frame(5, 4, 1, Buffer.concat([uint32(2), head]))], undefined],
    [
      'a broken header block',
      () => [frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))],
      undefined,
    ],
  ])('is sent GOAWAY, and others do not notice: %s (rel-T27, rel-T38, rel-T39)', async (_, attack, code) => {
    respond = (incoming, response) => {
      if (incoming.method === 'GET') ok(response);
    };
    await open({ checkMs: 100, headersMs: 300 });
    await withHttp2(async (session) => {
      await get2(session, '/');
      const client = raw();
      client.write(...attack());
      const isMeant = (one: number): boolean => code === 'any' || (code === undefined ? one !== 0 : one === code);
      await until(() => client.goaways.some(isMeant));
      client.destroy();
      expect((await get2(session, '/')).body).toBe('ok');
    });
    expect(seen.length).toBeLessThan(150);
    await until(() => listener!.sockets === 0);
  });

  it('with 17 KiB of fields is answered 431 by whoever judges heads, and one with 5,000 loses its stream (rel-T27)', async () => {
    const verdicts: unknown[] = [];
    respond = (incoming, response, connection) => {
      const { method = '', url: target = '', rawHeaders, httpVersion, bodyFollows } = incoming;
      const raw = { method, target, rawHeaders, httpVersion, remoteAddress: '::1', encrypted: true, bodyFollows };
      const request = canonicalRequest(raw, connection.limits.head);
      verdicts.push(isRefusal(request) ? request.code : 'passed');
      response.writeHead(200, []);
      response.end();
    };
    await open();
    await withHttp2(async (session) => {
      await get2(
        session,
        '/',
        Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`x-${at}`, 'v'.repeat(1000)])),
      );
      const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`x-${at}`, 'v']));
      await expect(get2(session, '/', many)).rejects.toThrow();
      await get2(session, '/');
    });
    expect(verdicts).toEqual(['HEADERS_TOO_LARGE', 'passed']);
  });
});

// ---- the bench ----------------------------------------------------------------------------------------------------

const clients: RawHttp2Client[] = [];
/** SETTINGS_INITIAL_WINDOW_SIZE of nothing (RFC 9113 §6.5.2): no body can leave. */
const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);
/** `POST / http a`: indexed fields, and the authority as a literal that no table keeps. */
const head = Buffer.concat([Buffer.from([0x83, 0x86, 0x84, 0x01, 1]), Buffer.from('a')]);

/** A request that is all there. */
function request(id: number, ...more: readonly Buffer[]): Buffer {
  return frame(HEADERS, END_STREAM | END_HEADERS, id, Buffer.concat([head, ...more]));
}

/** The first ids that a client may give. */
function ids(count: number): number[] {
  return Array.from({ length: count }, (_, at) => 1 + 2 * at);
}

function ok(response: Outgoing, status = 200, fields: readonly string[] = []): void {
  response.writeHead(status, ['content-length', '2', ...fields]);
  response.end(Buffer.from('ok'));
}

function raw(settings?: Buffer): RawHttp2Client {
  const client = new RawHttp2Client(port, settings);
  clients.push(client);
  return client;
}

async function open(limits: Partial<ListenerLimits> = {}): Promise<void> {
  port = await freePort();
  const connection = { ...plainConnection, limits: { ...defaultListenerLimits, ...limits } };
  const handle: Handle = (incoming, response, over) => {
    seen.push(incoming);
    respond(incoming, response, over);
  };
  const watcher = { onAbuse: (what: Abuse) => abuses.push(what), onDefect: (error: unknown) => defects.push(error) };
  listener = await listenHttp({
    address: { host: '127.0.0.1', port },
    connection,
    handle,
    broken: ({ answer }) => answer(''),
    brokenBody: (response) => void response.destroy(),
    http2: new Http2Sessions(handle, watcher, () => now(), connection.limits.checkMs),
  });
}

function withHttp2(work: (session: ClientHttp2Session) => Promise<void>): Promise<void> {
  return withSession(`http://127.0.0.1:${port}`, work);
}
