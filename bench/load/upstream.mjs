// The API behind every system that is measured: 22 bytes of JSON, as cheap as Node can be. Prints its port.
import { createServer } from 'node:http';

const body = Buffer.from('{"id":"ord_1","open":1}'.slice(0, 22));
const server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
