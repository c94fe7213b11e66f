import { realpathSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Fastify from 'fastify';

const MAX_ORDERS = 1_000;
const MAX_WAIT_MS = 60_000;
const EVENT_GAP_MS = 50;

const newOrder = {
  type: 'object',
  required: ['item', 'quantity'],
  additionalProperties: false,
  properties: {
    item: { type: 'string', minLength: 1, maxLength: 100 },
    quantity: { type: 'integer', minimum: 1, maximum: 1_000 },
  },
};

/** Orders in memory, oldest first. */
class OrderBook {
  #orders = new Map();
  #last = 0;

  constructor(items) {
    for (const item of items) this.add(item);
  }

  add({ item, quantity }) {
    const order = { id: `ord_${++this.#last}`, item, quantity, status: 'open' };
    this.#orders.set(order.id, order);
    // A demo that runs for months must not grow for months.
    if (this.#orders.size > MAX_ORDERS) this.#orders.delete(this.#orders.keys().next().value);
    return order;
  }

  get(id) {
    return this.#orders.get(id);
  }

  remove(id) {
    return this.#orders.delete(id);
  }

  all() {
    return [...this.#orders.values()];
  }
}

function notFound(reply, id) {
  return reply.code(404).send({ error: 'not_found', message: `There is no order ${id}.` });
}

/** Reads a whole number of a query; anything else is the fallback. */
function wholeNumber(text, fallback, max) {
  return /^\d{1,9}$/.test(text ?? '') ? Math.min(Number(text), max) : fallback;
}

async function* eventsOf(orders, count) {
  for (let number = 1; number <= count; number++) {
    const order = orders[(number - 1) % orders.length];
    yield `id: ${number}\nevent: order\ndata: ${JSON.stringify(order ?? null)}\n\n`;
    if (number < count) await delay(EVENT_GAP_MS);
  }
}

function addOrders(app, book) {
  app.get('/orders', async () => ({ items: book.all() }));

  app.get('/orders/:id', async ({ params }, reply) => book.get(params.id) ?? notFound(reply, params.id));

  app.post('/orders', { schema: { body: newOrder } }, async ({ body }, reply) => {
    const order = book.add(body);
    return reply.code(201).header('location', `/orders/${order.id}`).send(order);
  });

  app.delete('/orders/:id', async ({ params }, reply) =>
    book.remove(params.id) ? reply.code(204).send() : notFound(reply, params.id),
  );
}

/** Answers that a gateway must get right: a stream, a late one, and what it was really sent. */
function addTrials(app, book) {
  app.get('/orders/events', async ({ query }, reply) => {
    const events = eventsOf(book.all(), wholeNumber(query.count, 3, 1_000));
    return reply.header('cache-control', 'no-store').type('text/event-stream').send(Readable.from(events));
  });

  app.get('/orders/slow', async ({ query, raw }, reply) => {
    const waited = wholeNumber(query.ms, 1_000, MAX_WAIT_MS);
    const gone = new AbortController();
    raw.socket.once('close', () => gone.abort());
    await delay(waited, undefined, { signal: gone.signal }).catch(() => undefined);
    return reply.send({ waited });
  });

  app.register(async (echo) => {
    echo.removeAllContentTypeParsers();
    echo.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: 16 * 1024 * 1024 }, (_, body, done) =>
      done(null, body),
    );
    echo.post('/orders/echo', async ({ method, url, raw, body }) => ({
      method,
      url,
      headers: pairs(raw.rawHeaders),
      body: (body ?? Buffer.alloc(0)).toString(),
    }));
  });
}

function pairs(rawHeaders) {
  return Array.from({ length: rawHeaders.length / 2 }, (_, at) => [
    rawHeaders[at * 2].toLowerCase(),
    rawHeaders[at * 2 + 1],
  ]);
}

/**
 * Starts the API.
 * @param {{ host?: string, port?: number }} [address] port 0 takes a free one.
 * @returns {Promise<{ url: string, port: number, close(): Promise<void> }>} once it listens.
 */
export async function startOrders({ host = '127.0.0.1', port = 8090 } = {}) {
  const app = Fastify({
    forceCloseConnections: true,
    // Repairing what a client sent would hide from it that it was wrong.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  const book = new OrderBook([
    { item: 'lantern', quantity: 2 },
    { item: 'rope, 30 m', quantity: 1 },
    { item: 'signal flag', quantity: 12 },
  ]);
  addTrials(app, book);
  addOrders(app, book);
  await app.listen({ host, port });
  const bound = app.server.address().port;
  const authority = host.includes(':') ? `[${host}]` : host;
  return { url: `http://${authority}:${bound}`, port: bound, close: () => app.close() };
}

async function main() {
  const host = process.env.SALLYPORT_HOST || '127.0.0.1';
  const port = Number(process.env.SALLYPORT_DEMO_PORT || 8090);
  const orders = await startOrders({ host, port });
  console.log(`orders listens on ${orders.url}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void orders.close());
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(`orders cannot start: ${error.message}`);
    process.exitCode = 1;
  });
}
