// What Node's own stack costs: an HTTP server and the dispatcher of undici, passing a request on and its answer back, and nothing
// more: no field is judged, nobody is asked, nothing is recorded. `node node-floor.mjs <port of the upstream>` prints its port.
// With `bytes` behind the port it is the least that any proxy in Node costs: sockets, and nothing that knows of HTTP. With
// `asking` it is the least that a cluster costs: before a request is passed on, one process is asked, and then another, which asks a
// third, as a rate limiter asks its store. They answer what they were sent.
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { connect, createServer as createByteServer } from 'node:net';
import { Pool } from 'undici';

const [port, passed = 'requests', behind] = process.argv.slice(2);

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

/** @param ask whoever is to be asked before a request is passed on; calls back */
function passRequests(ask) {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 128, pipelining: 1 });
  const server = createServer(({ method, url: path, rawHeaders: headers }, response) =>
    ask(() => pool.dispatch({ method, path, headers }, new Relay(response))),
  );
  server.keepAliveTimeout = 60_000;
  return server;
}

/** Of one question or answer. */
const QUESTION_BYTES = 64;

/** @returns what puts one question or answer into the write that leaves when the turn ends. */
function inOneWrite(socket) {
  let count = 0;
  const leave = () => {
    socket.write(Buffer.alloc(QUESTION_BYTES * count));
    count = 0;
  };
  return () => {
    if (count++ === 0) setImmediate(leave);
  };
}

/** Asks the process behind a port; what is asked in one turn leaves in one write, and is answered in its order. */
function asking(askedPort) {
  const socket = connect({ port: askedPort, host: '127.0.0.1', noDelay: true });
  const send = inOneWrite(socket);
  const waiting = [];
  let heard = 0;
  socket.on('data', ({ length }) => {
    for (heard += length; heard >= QUESTION_BYTES; heard -= QUESTION_BYTES) waiting.shift()();
  });
  return (answered) => {
    waiting.push(answered);
    send();
  };
}

/** Answers every question once the one behind it, where there is one, has answered. */
function answerQuestions(behind) {
  const ask = behind === undefined ? (answered) => answered() : asking(Number(behind));
  return createByteServer({ noDelay: true }, (socket) => {
    const answer = inOneWrite(socket);
    let heard = 0;
    socket.on('data', ({ length }) => {
      for (heard += length; heard >= QUESTION_BYTES; heard -= QUESTION_BYTES) ask(answer);
    });
    socket.on('error', () => undefined);
  });
}

/** Starts a process that answers questions, and ends with this one. @returns its port */
function startAnswering(behind) {
  const child = fork(import.meta.filename, [port, 'answering', ...(behind === undefined ? [] : [String(behind)])]);
  return new Promise((resolve) => child.once('message', resolve));
}

async function serverFor(what) {
  if (what === 'bytes') return createByteServer(passBytes);
  if (what === 'answering') return answerQuestions(behind);
  if (what !== 'asking') return passRequests((go) => go());
  const first = asking(await startAnswering());
  const second = asking(await startAnswering(await startAnswering()));
  return passRequests((go) => first(() => second(go)));
}

const server = await serverFor(passed);
server.listen(0, '127.0.0.1', () => {
  const tell = process.send?.bind(process) ?? console.log;
  tell(server.address().port);
});
process.once('disconnect', () => process.exit(0));
