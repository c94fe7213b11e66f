import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDeclarative } from '@sallyport/contracts';
import { request } from 'undici';
import { startOrders } from './server.mjs';

describe('the orders API', () => {
  let orders: Awaited<ReturnType<typeof startOrders>>;

  beforeAll(async () => {
    orders = await startOrders({ port: 0 });
  });
  afterAll(() => orders.close());

  async function call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: string,
    contentType = 'application/json',
  ) {
    const headers = body === undefined ? {} : { 'content-type': contentType };
    const answer = await request(orders.url + path, { method, headers, body });
    const text = await answer.body.text();
    return { status: answer.statusCode, headers: answer.headers, text, json: () => JSON.parse(text) as never };
  }

  it('lists orders and shows one', async () => {
    const { items } = (await call('GET', '/orders')).json() as { items: { id: string }[] };
    expect(items.length).toBeGreaterThanOrEqual(3);
    expect((await call('GET', `/orders/${items[0]!.id}`)).json()).toEqual(items[0]);
    expect((await call('GET', '/orders/ord_0')).status).toBe(404);
  });

  it('takes an order, and gives it up again', async () => {
    const made = await call('POST', '/orders', JSON.stringify({ item: 'anchor', quantity: 1 }));
    expect(made.status).toBe(201);
    const path = String(made.headers['location']);
    expect((await call('GET', path)).json()).toMatchObject({ item: 'anchor', quantity: 1, status: 'open' });
    expect((await call('DELETE', path)).status).toBe(204);
    expect((await call('DELETE', path)).status).toBe(404);
  });

  it.each([
    ['a missing member', { item: 'anchor' }],
    ['a member it does not know', { item: 'anchor', quantity: 1, price: 0 }],
    ['a number that is a text', { item: 'anchor', quantity: '1' }],
    ['a quantity of nothing', { item: 'anchor', quantity: 0 }],
  ])('refuses an order with %s', async (_, order) =>
    expect((await call('POST', '/orders', JSON.stringify(order))).status).toBe(400),
  );

  it('streams events one after the other', async () => {
    const { body, headers } = await request(`${orders.url}/orders/events?count=2`);
    expect(headers['content-type']).toContain('text/event-stream');
    const chunks: string[] = [];
    for await (const chunk of body) chunks.push(String(chunk));
    expect(chunks.join('')).toMatch(/^id: 1\nevent: order\ndata: \{"id":"ord_1".*\}\n\nid: 2\n/);
  });

  it('answers late when it is asked to', async () => {
    expect((await call('GET', '/orders/slow?ms=20')).json()).toEqual({ waited: 20 });
  });

  it('says what it was sent, whatever it is', async () => {
    const echoed = (await call('POST', '/orders/echo?a=%zz', '{broken', 'text/plain')).json() as {
      headers: string[][];
    };
    expect(echoed).toMatchObject({ method: 'POST', url: '/orders/echo?a=%zz', body: '{broken' });
    expect(echoed.headers).toContainEqual(['content-type', 'text/plain']);
    expect((await call('POST', '/orders/echo')).json()).toMatchObject({ body: '' });
  });
});

describe('the orders example', () => {
  it('runs by itself from its source, and ends when it is told to', async () => {
    const child = spawn(process.execPath, [join(__dirname, 'server.mjs')], {
      env: { PATH: process.env['PATH'], SALLYPORT_DEMO_PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = /^orders listens on (http:\S+)\n$/.exec(line.toString())?.[1];
    const { statusCode, body } = await request(`${url}/orders`);
    await body.dump();
    expect(statusCode).toBe(200);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('is published by a file that says what its comments say', async () => {
    const { document, faults } = await parseDeclarative(readFileSync(join(__dirname, 'orders.yaml'), 'utf8'));
    expect(faults).toEqual([]);
    expect(document!.services).toHaveLength(1);
    expect(document!.services[0]).toMatchObject({
      name: 'orders',
      path: '/orders',
      upstream: { targets: [{ url: 'http://127.0.0.1:8090', weight: 1 }], allowPrivate: true },
    });
  });
});
