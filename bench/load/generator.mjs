// Sends requests over keep-alive connections and prints what came back as JSON; a process of its own, so that its clock and
// its processor time are its own. `node generator.mjs '<plan as JSON>'`
import { connect } from 'node:net';
import { standardRequests } from '../waf-requests.mjs';

/**
 * The plan: `host`, `port`, `requests` (each `{ method, path, host, fields, body }`, taken in turn; or `{ standard, fields }`, the name
 * of one of the standard requests for inspection, made anew each time), `connections`, `seconds`, and `rate` in requests a
 * second; without a rate every connection sends its next request when it has its answer.
 */
const plan = JSON.parse(process.argv[2]);
const requests = Array.isArray(plan.requests) ? plan.requests.map(bytesOf) : undefined;
/** Another generator makes other values. */
const seed = process.pid * 1_000_003;

function nextRequest() {
  const at = turn++;
  if (requests) return requests[at % requests.length];
  const { standard, fields } = plan.requests;
  const request = standardRequests[standard](seed + at);
  return bytesOf({ ...request, fields: { ...fields, ...Object.fromEntries(request.fields) } });
}

const latencies = [];
/** Until the first byte of a body: of a stream, its first event. */
const firstBytes = [];
let answers = 0;
let failed = 0;
let turn = 0;
const idle = [];
/** Moments at which requests fell due that no connection was free for. */
const waiting = [];
let over = false;

function bytesOf({ method = 'GET', path, host = `${plan.host}:${plan.port}`, fields = {}, body }) {
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${host}`];
  for (const [name, value] of Object.entries(fields)) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push(`content-length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
}

class Connection {
  constructor() {
    this.open();
  }

  open() {
    this.rest = undefined;
    this.since = undefined;
    this.expected = undefined;
    this.socket = connect(plan.port, plan.host, () => this.free());
    this.socket.setNoDelay(true);
    this.socket.on('data', (bytes) => this.read(bytes));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.lost());
  }

  lost() {
    if (over) return;
    if (this.since !== undefined) failed++;
    const at = idle.indexOf(this);
    if (at >= 0) idle.splice(at, 1);
    setTimeout(() => this.open(), 10);
  }

  free() {
    if (over) return;
    if (plan.rate === undefined) this.send(now());
    else if (waiting.length > 0) this.send(waiting.shift());
    else idle.push(this);
  }

  send(dueAt) {
    this.since = dueAt;
    this.socket.write(nextRequest());
  }

  read(bytes) {
    if (this.expected === undefined) {
      const whole = this.rest ? Buffer.concat([this.rest, bytes]) : bytes;
      const end = whole.indexOf('\r\n\r\n');
      if (end < 0) {
        this.rest = whole;
        return;
      }
      const head = whole.latin1Slice(0, end).toLowerCase();
      this.good = head.startsWith('http/1.1 2');
      this.closing = head.includes('\r\nconnection: close');
      const length = /\r\ncontent-length: *(\d+)/.exec(head);
      this.expected = length ? Number(length[1]) : head.includes('\r\ntransfer-encoding: chunked') ? 'chunked' : 0;
      this.rest = undefined;
      bytes = whole.subarray(end + 4);
      this.unread = true;
    }
    if (this.unread && bytes.length > 0) {
      this.unread = false;
      if (this.since >= countedFrom) firstBytes.push(now() - this.since);
    }
    if (this.expected === 'chunked') {
      // The closing chunk stands at the very end of what a sender writes last.
      this.tail = Buffer.concat([this.tail ?? Buffer.alloc(0), bytes]).subarray(-7);
      if (this.tail.latin1Slice().endsWith('0\r\n\r\n')) this.answered();
      return;
    }
    this.expected -= bytes.length;
    if (this.expected <= 0) this.answered();
  }

  answered() {
    if (this.since >= countedFrom) latencies.push(now() - this.since);
    if (this.good) answers++;
    else failed++;
    this.since = undefined;
    this.expected = undefined;
    this.tail = undefined;
    if (this.closing) this.socket.end();
    else this.free();
  }
}

function now() {
  return performance.now() * 1000;
}

const connections = Array.from({ length: plan.connections }, () => new Connection());
const begun = now();
const countedFrom = begun + (plan.settle ?? 0) * 1e6;
let sent = 0;
const pace =
  plan.rate &&
  setInterval(() => {
    const due = ((now() - begun) / 1e6) * plan.rate;
    for (; sent < due; sent++) {
      const connection = idle.pop();
      if (connection) connection.send(now());
      else if (waiting.length < 100_000) waiting.push(now());
    }
  }, 1);

setTimeout(() => {
  over = true;
  clearInterval(pace);
  const seconds = (now() - begun) / 1e6;
  for (const { socket } of connections) socket.destroy();
  const figures = { answers, failed, seconds, rps: answers / seconds };
  Object.assign(figures, { p50_us: share(latencies, 0.5), p99_us: share(latencies, 0.99) });
  figures.first_byte_p50_us = share(firstBytes, 0.5);
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
}, plan.seconds * 1000);

function share(times, of) {
  times.sort((one, other) => one - other);
  return Math.round(times[Math.min(times.length - 1, Math.floor(times.length * of))] ?? 0);
}
