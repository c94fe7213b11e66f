import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { listenerLimits } from '@sallyport/proxy';
import { freePort } from '@sallyport/testkit';
import { until } from '../ingress-under-test';
import { plainConnection, type Incoming, type Outgoing } from './connection';
import { listenHttp, type HttpListener } from './http';
import type { BrokenBytes } from './http1-session';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const hasty = listenerLimits.parse({ headersMs: 200, keepAliveMs: 300, checkMs: 50, pastRefusalBytes: 64 * 1024 });

let listener: HttpListener;
let port: number;
let handle: (incoming: Incoming, response: Outgoing) => void;
let broken: BrokenBytes[];
let answerBroken: (bytes: BrokenBytes) => void;
let brokenBodies: string[];
let clients: Client[];

beforeEach(async () => {
  port = await freePort();
  broken = [];
  answerBroken = (bytes) => bytes.answer('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  brokenBodies = [];
  clients = [];
  handle = (_, response) => answer(response, 'ok');
  listener = await listenHttp({
    address: { host: '127.0.0.1', port },
    connection: { ...plainConnection, limits: { ...hasty, requestsPerSocket: 3 } },
    handle: (incoming, response) => handle(incoming, response),
    broken: (bytes) => {
      broken.push(bytes);
      answerBroken(bytes);
    },
    brokenBody: (response, { params }) => {
      brokenBodies.push(String(params['reason']));
      if (!response.headersSent) answer(response, 'broken', 400);
    },
  });
});
afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  await listener.close();
});

function answer(response: Outgoing, body: string, status = 200, fields: string[] = []): void {
  response.writeHead(status, ['content-length', String(body.length), ...fields]);
  response.end(Buffer.from(body));
}

interface Client {
  readonly socket: Socket;
  text: string;
  ended: boolean;
  reset: boolean;
}

async function client(halfOpen = false): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: halfOpen });
  const one: Client = { socket, text: '', ended: false, reset: false };
  socket.on('data', (chunk: Buffer) => (one.text += chunk.toString('latin1')));
  socket.on('end', () => (one.ended = true));
  socket.on('error', () => (one.reset = true));
  clients.push(one);
  await new Promise((resolve) => socket.once('connect', resolve));
  return one;
}

const digestOf = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');
const answersIn = ({ text }: Client) => text.match(/HTTP\/1\.1 \d+/g)?.length ?? 0;
const whole = async (body: Readable): Promise<string> => {
  let text = '';
  for await (const chunk of body) text += (chunk as Buffer).toString('latin1');
  return text;
};

describe('a connection over HTTP/1.1', () => {
  it('answers requests that came in one go in their order, one after another', async () => {
    const waiting: Outgoing[] = [];
    handle = (_, response) => void waiting.push(response);
    const one = await client();
    one.socket.write(GET + GET);
    await until(() => waiting.length === 1);
    answer(waiting[0]!, 'first');
    await until(() => waiting.length === 2);
    expect(one.text).toMatch(/first$/);
    answer(waiting[1]!, 'second');
    await until(() => one.text.endsWith('second'));
    expect(one.ended).toBe(false);
  });

  it('takes nothing for a request that comes behind an answer that said that it is the last', async () => {
    const seen: string[] = [];
    handle = (incoming, response) => {
      seen.push(incoming.url!);
      answer(response, 'no', 400, ['connection', 'close']);
    };
    const one = await client();
    one.socket.write(GET + GET.replace('/', '/second'));
    await until(() => one.ended);
    expect([seen, answersIn(one), one.reset]).toEqual([['/'], 1, false]);
  });

  it('says with the last request it may carry that it ends', async () => {
    const one = await client();
    for (let count = 1; count <= 3; count++) {
      one.socket.write(GET);
      await until(() => answersIn(one) === count);
    }
    expect(one.text.match(/connection: [a-z-]+/g)).toEqual([
      'connection: keep-alive',
      'connection: keep-alive',
      'connection: close',
    ]);
    await until(() => one.ended);
  });

  it('sends the head and a small body in one write', async () => {
    const writes: number[] = [];
    handle = (incoming, response) => {
      const socket = incoming.socket as Socket;
      const write = socket._write.bind(socket);
      socket._write = (chunk: string, ...rest) => (writes.push(chunk.length), write(chunk, ...rest));
      answer(response, 'hello');
    };
    const one = await client();
    one.socket.write(GET);
    await until(() => one.text.endsWith('hello'));
    expect(writes).toEqual([one.text.length]);
  });

  it('frames a body of no announced length in chunks, and ends it with the connection for who knows no chunks', async () => {
    const big = 'x'.repeat(20_000);
    handle = (_, response) => {
      response.writeHead(200, []);
      response.write(Buffer.from('small'));
      response.write(Buffer.from(big));
      response.end(Buffer.from('last'));
    };
    const modern = await client();
    modern.socket.write(GET);
    await until(() => modern.text.endsWith('0\r\n\r\n'));
    expect(modern.text).toContain(`transfer-encoding: chunked\r\n`);
    expect(modern.text.slice(modern.text.indexOf('\r\n\r\n') + 4)).toBe(
      `5\r\nsmall\r\n4e20\r\n${big}\r\n4\r\nlast\r\n0\r\n\r\n`,
    );
    const old = await client();
    old.socket.write('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
    await until(() => old.ended);
    expect(old.text).toContain('connection: close\r\n');
    expect(old.text.slice(old.text.indexOf('\r\n\r\n') + 4)).toBe(`small${big}last`);
  });

  it('has no body in the answer to HEAD, and in answers that never have one', async () => {
    const statuses = [200, 204, 304];
    handle = (_, response) => {
      response.writeHead(statuses.shift()!, ['content-type', 'text/plain']);
      response.end(Buffer.from('none'));
    };
    const one = await client();
    for (const method of ['HEAD', 'GET', 'GET']) {
      const before = answersIn(one);
      one.socket.write(GET.replace('GET', method));
      await until(() => answersIn(one) > before && one.text.endsWith('\r\n\r\n'));
    }
    expect(one.text).not.toMatch(/none|transfer-encoding|content-length/);
  });

  it.each([
    ['two lengths', ['content-length', '2', 'content-length', '3']],
    ['chunks beside a length', ['content-length', '2', 'transfer-encoding', 'chunked']],
    ['chunks', ['transfer-encoding', 'chunked']],
  ])('is answered with no head that has %s', async (_, fields) => {
    handle = (__, response) => {
      expect(() => response.writeHead(200, fields)).toThrow('cannot be sent');
      answer(response, 'ok');
    };
    const one = await client();
    one.socket.write(GET);
    await until(() => one.text.endsWith('ok'));
    expect(one.text.match(/content-length: 2\r\n/g)).toHaveLength(1);
    expect(one.text).not.toContain('transfer-encoding');
  });

  it('shows a client of HTTP/1.0 by a reset that an answer is not whole, and by the end of the connection that it is', async () => {
    for (const isWhole of [true, false]) {
      let response: Outgoing | undefined;
      handle = (_, given) => {
        response = given;
        given.writeHead(200, []);
        given.write(Buffer.from('half'));
      };
      const old = await client();
      old.socket.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
      await until(() => old.text.endsWith('half'));
      if (isWhole) response!.end();
      else response!.destroy();
      await until(() => old.socket.destroyed);
      expect([old.ended, old.reset]).toEqual([isWhole, !isWhole]);
    }
  });

  it('cuts an answer that is longer or shorter than it says', async () => {
    for (const body of ['toolong', 'abc']) {
      handle = (_, response) => {
        response.writeHead(200, ['content-length', '5']);
        response.write(Buffer.from(body));
        response.end();
      };
      const one = await client();
      one.socket.write(GET);
      await until(() => one.socket.destroyed);
      expect(one.text).not.toContain('toolo');
      expect(one.text.slice(one.text.indexOf('\r\n\r\n') + 4).length).toBeLessThan(5);
    }
  });

  it('sends no field that would be read as more than one', async () => {
    const thrown: string[] = [];
    handle = (_, response) => {
      for (const fields of [
        ['x-a', 'b\r\nset-cookie: c'],
        ['x a', 'b'],
        ['x-a', 'é\u2028'],
      ])
        try {
          response.writeHead(200, fields);
        } catch (error) {
          thrown.push((error as Error).message);
        }
      answer(response, 'ok');
    };
    const one = await client();
    one.socket.write(GET);
    await until(() => one.text.endsWith('ok'));
    expect(thrown).toEqual([
      'the field "x-a" cannot be sent',
      'the field "x a" cannot be sent',
      'the field "x-a" cannot be sent',
    ]);
  });

  it('reads a body no faster than it is wanted, and all of it once it is', async () => {
    let incoming: Incoming | undefined;
    handle = (request, response) => {
      incoming = request;
      void until(() => paused).then(async () => answer(response, digestOf(await whole(request.body))));
    };
    const total = 8 * 1024 * 1024;
    const body = randomBytes(total);
    let paused = false;
    const one = await client();
    one.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
    one.socket.write(body);
    await until(() => incoming !== undefined && (incoming.socket as Socket).isPaused());
    expect((incoming!.socket as Socket).bytesRead).toBeLessThan(total / 2);
    paused = true;
    await until(() => one.text.endsWith(digestOf(body.toString('latin1'))));
    one.socket.write(GET);
    await until(() => answersIn(one) === 2);
  });

  it('tells whoever answers that the client has left, also by the end of its half', async () => {
    for (const leave of [(socket: Socket) => socket.destroy(), (socket: Socket) => socket.end()]) {
      let left = 0;
      let begun = false;
      handle = (_, response) => {
        begun = true;
        response.on('close', () => left++);
      };
      const one = await client(true);
      one.socket.write(GET);
      await until(() => begun);
      leave(one.socket);
      await until(() => left === 1);
    }
  });

  it('tells once that an answer has left', async () => {
    let closed = 0;
    handle = (_, response) => {
      response.on('close', () => closed++);
      answer(response, 'ok');
    };
    const one = await client();
    one.socket.write(GET);
    await until(() => closed === 1);
    one.socket.destroy();
    await until(() => listener.sockets === 0);
    expect(closed).toBe(1);
  });

  it('tells that an answer has left only once its client has read so much that the rest is on its way', async () => {
    let response: Outgoing | undefined;
    let left = false;
    handle = (_, outgoing) => {
      response = outgoing;
      outgoing.on('close', () => (left = true));
      outgoing.writeHead(200, []);
      outgoing.write(Buffer.alloc(16 * 1024 * 1024));
      outgoing.end();
    };
    const one = await client();
    one.socket.pause();
    one.socket.write(GET);
    await until(() => response !== undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(response!.writableLength).toBeGreaterThan(0);
    expect(left).toBe(false);
    one.socket.resume();
    await until(() => left);
    await until(() => one.text.endsWith('0\r\n\r\n'));
  });

  it('begins nothing that was sent ahead once the connection was reset under an answer', async () => {
    let begun = 0;
    let left = 0;
    handle = (_, response) => {
      begun++;
      response.on('close', () => left++);
      // Its reset lies unread in our socket: the write fails at once.
      one.socket.resetAndDestroy();
      answer(response, 'ok');
      expect(response.writableLength).toBe(0);
    };
    const one = await client();
    one.socket.write(GET + GET);
    await until(() => listener.sockets === 0 && begun > 0);
    expect({ begun, left }).toEqual({ begun: 1, left: 1 });
  });

  it('serves thousands of requests that were sent ahead one behind the other, and none inside another', async () => {
    await listener.close();
    let depth = 0;
    let deepest = 0;
    listener = await listenHttp({
      address: { host: '127.0.0.1', port },
      connection: { ...plainConnection, limits: { ...hasty, requestsPerSocket: 10_000 } },
      handle: (_, response) => {
        deepest = Math.max(deepest, ++depth);
        answer(response, 'ok');
        depth--;
      },
      broken: () => undefined,
      brokenBody: () => undefined,
    });
    const one = await client();
    one.socket.write(GET.repeat(5_000));
    await until(() => answersIn(one) === 5_000);
    expect(deepest).toBe(1);
  });

  it('breaks off a body whose client leaves, or whose chunks are none, and answers what it can', async () => {
    const ends: string[] = [];
    handle = (incoming) => {
      incoming.body.on('close', () => ends.push(incoming.complete ? 'whole' : 'broken'));
      incoming.body.resume();
    };
    const leaver = await client();
    leaver.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab');
    await until(() => listener.sockets === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    leaver.socket.resetAndDestroy();
    await until(() => ends.length === 1);
    const liar = await client();
    liar.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await new Promise((resolve) => setTimeout(resolve, 30));
    liar.socket.write(`zz\r\n${GET}`);
    await until(() => liar.ended);
    expect(brokenBodies).toEqual(['a chunk has no size']);
    expect([answersIn(liar), liar.text.endsWith('broken')]).toEqual([1, true]);
    await until(() => ends.length === 2);
    expect(ends).toEqual(['broken', 'broken']);
  });

  it('hands nothing on of a request whose first piece ends in a chunk that is none', async () => {
    handle = () => fail('nothing was asked');
    const one = await client();
    one.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
    await until(() => one.ended);
    expect(broken[0]!.cause).toBe('a chunk has no size');
  });

  it('lets its client see the answer to what it is still sending, up to a limit', async () => {
    handle = (_, response) => answer(response, 'enough', 413, ['connection', 'close']);
    const one = await client();
    one.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
    one.socket.write(Buffer.alloc(30_000));
    await until(() => one.text.endsWith('enough'));
    expect(one.reset).toBe(false);
    const endless = await client();
    endless.socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
    const pump = (): void => {
      if (!endless.socket.destroyed) endless.socket.write(Buffer.alloc(64 * 1024), () => setImmediate(pump));
    };
    pump();
    await until(() => endless.socket.destroyed);
    expect(endless.socket.bytesWritten).toBeLessThan(20_000_000);
  });

  it('is refused when a head is late, and closed when nothing is asked for long', async () => {
    const silent = await client();
    const slow = await client();
    slow.socket.write('GET / HTTP/1.1\r\nHo');
    const idle = await client();
    idle.socket.write(GET);
    await until(() => silent.ended && slow.ended && idle.ended);
    expect(broken.map(({ refusal }) => refusal.code)).toEqual(['REQUEST_TIMEOUT', 'REQUEST_TIMEOUT']);
    expect(answersIn(idle)).toBe(1);
    await until(() => listener.sockets === 0);
  });

  it('is refused when its client ends in the middle of a head', async () => {
    const one = await client(true);
    one.socket.end('GET / HTTP/1.1\r\nHo');
    await until(() => one.ended);
    expect(broken[0]).toMatchObject({ cause: 'its head broke off' });
  });

  it('is answered when its client ends behind what is refused, also when the answer takes a while', async () => {
    const answerAtOnce = answerBroken;
    answerBroken = (bytes) => setTimeout(() => answerAtOnce(bytes), 50);
    const one = await client(true);
    one.socket.end('{"no": "request"}');
    await until(() => one.ended);
    expect(answersIn(one)).toBe(1);
    await until(() => listener.sockets === 0);
  });

  it('hands the bare connection to who asks for another protocol, with what came behind the head, and ends if it is not taken', async () => {
    const asked = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
    handle = ({ takeOver }) => {
      const { socket, early } = takeOver!;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n\r\n${early.toString('latin1')}`);
      socket.on('data', (chunk: Buffer) => socket.write(chunk.toString('latin1').toUpperCase()));
      socket.on('end', () => socket.end());
      socket.resume();
    };
    const taken = await client();
    taken.socket.write(`${asked}early`);
    await until(() => taken.text.endsWith('early'));
    taken.socket.write('later');
    await until(() => taken.text.endsWith('LATER'));
    taken.socket.end();
    await until(() => taken.ended);

    handle = (_, response) => answer(response, 'no', 400);
    const refused = await client();
    refused.socket.write(asked + GET);
    await until(() => refused.ended);
    expect([answersIn(refused), refused.text.includes('connection: close')]).toEqual([1, true]);
  });

  it('goes on with an answer to who asked for another protocol when its client has read what was there', async () => {
    const total = 8 * 1024 * 1024;
    handle = (_, response) => {
      response.writeHead(200, ['content-length', String(total)]);
      expect(response.write(Buffer.alloc(total / 2))).toBe(false);
      response.on('drain', () => response.end(Buffer.alloc(total / 2)));
    };
    const one = await client();
    let received = 0;
    one.socket.on('data', (chunk: Buffer) => (received += chunk.length));
    one.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    await until(() => one.ended);
    expect(received).toBeGreaterThan(total);
  });

  it('takes nothing for a request any more once it is closed because nothing was asked', async () => {
    const asked: Incoming[] = [];
    handle = (incoming, response) => {
      asked.push(incoming);
      answer(response, 'ok');
    };
    const one = await client();
    one.socket.write(GET);
    await until(() => answersIn(one) === 1);
    listener.closeIdle();
    (asked[0]!.socket as Socket).emit('data', Buffer.from(GET));
    await until(() => one.ended);
    expect(asked).toHaveLength(1);
  });

  it('hands a body of many small chunks on in few pieces', async () => {
    let pieces = 0;
    handle = (incoming, response) => {
      let text = '';
      incoming.body.on('data', (chunk: Buffer) => {
        pieces++;
        text += chunk.toString('latin1');
      });
      incoming.body.on('end', () => answer(response, text));
    };
    const one = await client();
    one.socket.write(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(2_000)}0\r\n\r\n`,
    );
    await until(() => one.text.endsWith('a'.repeat(2_000)));
    expect(pieces).toBeLessThan(200);
  });

  it('is ended once, however much comes behind a chunk that is none while its client reads nothing', async () => {
    let socket: Socket | undefined;
    handle = (incoming, response) => {
      socket = incoming.socket as Socket;
      response.writeHead(200, []);
      response.write(Buffer.alloc(8 * 1024 * 1024));
    };
    const one = await client();
    one.socket.pause();
    one.socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await until(() => socket !== undefined);
    one.socket.write('zz\r\n');
    await until(() => brokenBodies.length === 1);
    const read = socket!.bytesRead;
    one.socket.write(Buffer.alloc(4 * 1024 * 1024));
    await until(() => socket!.bytesRead - read > 2 * 1024 * 1024);
    expect(socket!.listenerCount('finish')).toBeLessThan(5);
  });

  it('holds only so much of what is asked ahead of an answer', async () => {
    let first: { incoming: Incoming; response: Outgoing } | undefined;
    handle = (incoming, response) => (first = { incoming, response });
    const one = await client();
    one.socket.write(GET + GET.repeat(100_000));
    await until(() => first !== undefined && (first.incoming.socket as Socket).isPaused());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((first!.incoming.socket as Socket).bytesRead).toBeLessThan(300_000);
    handle = (_, response) => answer(response, 'ok');
    answer(first!.response, 'ok');
    await until(() => answersIn(one) === 3);
  });
});
