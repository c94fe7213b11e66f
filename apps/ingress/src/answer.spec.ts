import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { Answer } from './answer';

const REQUEST = 'GET / HTTP/1.1\r\nhost: here\r\n\r\n';
const bodyOf = (text: string) => text.slice(text.indexOf('\r\n\r\n') + 4);

function answer(response: ServerResponse, body: string): void {
  const given = new Answer(
    response,
    (go) => go(),
    () => undefined,
  );
  given.head(200, ['content-length', String(body.length)]);
  given.data(Buffer.from(body));
  given.end();
}

/** What a caller reads that sends `requests` in one go, until it has read `last`. */
async function exchange(requests: string, last: string, serve: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_, response) => serve(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('latin1');
  socket.write(requests);
  let text = '';
  for await (const part of socket) {
    text += String(part);
    if (text.endsWith(last)) break;
  }
  server.close();
  return text;
}

describe('an answer whose body is at hand', () => {
  it('leaves in one plain write with its head', async () => {
    const writes: string[] = [];
    const text = await exchange(REQUEST, 'hello', (response) => {
      const { socket } = response as { socket: NonNullable<ServerResponse['socket']> };
      const write = socket._write.bind(socket);
      const writev = socket._writev!.bind(socket);
      socket._write = (...given) => (writes.push('write'), write(...given));
      socket._writev = (...given) => (writes.push('list of writes'), writev(...given));
      answer(response, 'hello');
    });

    expect(bodyOf(text)).toBe('hello');
    expect(writes).toEqual(['write']);
  });

  it('waits for the answer before it where requests came in one go', async () => {
    const responses: ServerResponse[] = [];
    const text = await exchange(REQUEST + REQUEST, 'second', (response) => {
      responses.push(response);
      if (responses.length < 2) return;
      answer(responses[1]!, 'second');
      answer(responses[0]!, 'first');
    });

    expect(text.indexOf('first')).toBeLessThan(text.indexOf('second'));
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  });
});
