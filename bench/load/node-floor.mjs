// What Node's own stack costs: an HTTP server and the dispatcher of undici, passing a request on and its answer back, and nothing
// more: no field is judged, nobody is asked, nothing is recorded. `node node-floor.mjs <port of the upstream>` prints its port.
// With `bytes` behind the port it is the least that any proxy in Node costs: sockets, and nothing that knows of HTTP.
import { createServer } from 'node:http';
import { connect, createServer as createByteServer } from 'node:net';
import { Pool } from 'undici';

const [port, passed = 'requests'] = process.argv.slice(2);

/** Head and body leave in one write: a string of Latin characters is joined with the head, bytes are a second part of it. */
class Relay {
  body = '';

  constructor(response) {
    this.response = response;
  }

  onRequestStart() {}

  onResponseStart(controller, status) {
    const fields = controller.rawHeaders.map((part) => part.latin1Slice());
    this.response.writeHead(status, fields);
  }

  onResponseData(_, chunk) {
    this.body += chunk.latin1Slice();
  }

  onResponseEnd() {
    this.response.end(this.body, 'latin1');
  }

  onResponseError() {
    this.response.destroy();
  }
}

/** Each caller has a connection to the upstream of its own, and bytes go both ways as they come: nobody reads a message. */
function passBytes(socket) {
  const upstream = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
  socket.setNoDelay(true);
  for (const [from, to] of [
    [socket, upstream],
    [upstream, socket],
  ]) {
    from.on('data', (bytes) => to.write(bytes));
    from.on('error', () => undefined);
    from.on('close', () => to.destroy());
  }
}

function passRequests() {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 128, pipelining: 1 });
  const server = createServer(({ method, url: path, rawHeaders: headers }, response) =>
    pool.dispatch({ method, path, headers }, new Relay(response)),
  );
  server.keepAliveTimeout = 60_000;
  return server;
}

const server = passed === 'bytes' ? createByteServer(passBytes) : passRequests();
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
