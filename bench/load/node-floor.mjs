// What Node's own stack costs: an HTTP server and the dispatcher of undici, passing a request on and its answer back, and nothing
// more: no field is judged, nobody is asked, nothing is recorded. `node node-floor.mjs <port of the upstream | hello>` prints its port.
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [where] = process.argv.slice(2);
const hello = Buffer.from('{"id":"ord_1","open":1}'.slice(0, 22));
const pool = where === 'hello' ? undefined : new Pool(`http://127.0.0.1:${where}`, { connections: 128, pipelining: 1 });

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

const server = createServer((request, response) => {
  const { method, url: path, rawHeaders: headers } = request;
  if (pool) return pool.dispatch({ method, path, headers }, new Relay(response));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': hello.length });
  response.end(hello);
});

server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
