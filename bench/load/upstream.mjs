// What stands behind every system that is measured, as cheap as Node can be. Prints its port.
//   /ticks                  an event a second for every client, each with the moment it was sent at
//   /v1/chat/completions    a completion of 700 bytes; as a stream 50 events of 190 bytes, in a burst or, of the model `paced`, every 20 ms
//   anything else           22 bytes of JSON, once the body is read
import { createServer } from 'node:http';

const small = Buffer.from('{"id":"ord_1","open":1}'.slice(0, 22));
const TURNS = 100;
const waves = Array.from({ length: TURNS }, () => new Set());
let turn = 0;

setInterval(() => {
  turn = (turn + 1) % TURNS;
  const event = `data: ${process.hrtime.bigint()}\n\n`;
  for (const response of waves[turn]) response.write(event);
}, 1000 / TURNS);

let clients = 0;
function tick(response) {
  const wave = waves[clients++ % TURNS];
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(':\n\n');
  wave.add(response);
  response.once('close', () => wave.delete(response));
}

const text = 'Sallyport answers '.repeat(20);
const completion = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'bench',
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 20, completion_tokens: 80, total_tokens: 100 },
  }),
);
const EVENTS = 50;
const PACE_MS = 20;
const part = (delta, finish_reason = null, more = {}) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'bench', choices: [{ index: 0, delta, finish_reason }], ...more })}\n\n`;
const parts = [
  ...Array.from({ length: EVENTS - 1 }, (_, at) =>
    part(at === 0 ? { role: 'assistant', content: 'x' } : { content: ' word' }),
  ),
  `${part({}, 'stop', { usage: { prompt_tokens: 20, completion_tokens: 80, total_tokens: 100 } })}data: [DONE]\n\n`,
];

function complete(response, body) {
  if (!body.includes('"stream":true')) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': completion.length });
    return response.end(completion);
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  if (!body.includes('"model":"paced"')) {
    for (const one of parts) response.write(one);
    return response.end();
  }
  let at = 0;
  const timer = setInterval(() => {
    response.write(parts[at++]);
    if (at < parts.length) return;
    clearInterval(timer);
    response.end();
  }, PACE_MS);
  response.once('close', () => clearInterval(timer));
}

const server = createServer((request, response) => {
  if (request.url.startsWith('/ticks')) return tick(response);
  if (request.method === 'GET') return answerSmall(response);
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url.endsWith('/chat/completions')) complete(response, Buffer.concat(chunks).latin1Slice());
    else answerSmall(response);
  });
});

function answerSmall(response) {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': small.length });
  response.end(small);
}

server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
