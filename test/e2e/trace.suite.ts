import { randomBytes } from 'node:crypto';
import type { DeclarativeInput } from '@sallyport/contracts';
import { startOrders } from '../../examples/orders/server.mjs';
import { expectStatus, type Answer } from './calls';
import type { CollectedSpan, Collector } from './collector';
import { patientWaf, type MintedKey, type Product } from './product';
import { PATIENCE_MS, until } from './waiting';

/** One trace through the gateway, as a collector sees it. */
export function describeTrace(product: () => Product, collector: () => Collector): void {
  let orders: Awaited<ReturnType<typeof startOrders>>;
  let minted: MintedKey;

  beforeAll(async () => {
    orders = await startOrders({ port: 0 });
    minted = await product().apiKey({ name: 'traced' });
    const service: Omit<NonNullable<DeclarativeInput['services']>[number], 'name'> = {
      upstream: { targets: [{ url: `${orders.url}/orders` }], allowPrivate: true },
      stripPrefix: true,
      policies: [{ 'rate-limit': { limit: 1_000, window: '60s', by: 'consumer' } }, patientWaf],
    };
    await product().publish({
      services: [
        { name: 'trusting', trustTrace: true, ...service },
        { name: 'wary', trustTrace: false, ...service },
      ],
    });
  });
  afterAll(() => orders?.close());

  /** Sends a request whose upstream says what it was sent. */
  const send = (service: string, headers: Record<string, string> = {}) =>
    product()
      .get(`/${service}/echo`, minted.key, { body: { note: 'trace me' }, headers })
      .then((answer) => expectStatus(answer, 200));

  const requestIdOf = ({ headers }: Answer) => headers['x-sallyport-request-id']!;

  /** The `traceparent` that the upstream was sent. */
  function traceparentAt(answer: Answer): { traceId: string; spanId: string } {
    const { headers } = answer.json<{ headers: [string, string][] }>();
    const sent = headers.filter(([name]) => name === 'traceparent').map(([, value]) => value);
    expect(sent).toHaveLength(1);
    const [, traceId, spanId, flags] = sent[0]!.split('-');
    expect(flags).toBe('01');
    return { traceId: traceId!, spanId: spanId! };
  }

  async function spansOf(traceId: string, count: number): Promise<CollectedSpan[]> {
    return until(
      `${count} spans of the trace ${traceId}`,
      () => {
        const found = collector().spans.filter((span) => span.traceId === traceId);
        return found.length >= count && found;
      },
      {
        within: 2 * PATIENCE_MS,
        seen: () => JSON.stringify(collector().spans.filter((span) => span.traceId === traceId)),
      },
    );
  }

  function callerTrace() {
    const traceId = randomBytes(16).toString('hex');
    const spanId = randomBytes(8).toString('hex');
    return { traceId, spanId, field: `00-${traceId}-${spanId}-01` };
  }

  it('holds the request, each consult and the call of the upstream, which is told of it', async () => {
    const answer = await send('wary');
    const upstream = traceparentAt(answer);
    const spans = await spansOf(upstream.traceId, 5);
    const server = spans.find(({ kind }) => kind === 'server')!;
    expect(server).toMatchObject({ service: 'sallyport-ingress', name: 'POST /wary', parentSpanId: undefined });
    expect(server.attributes).toMatchObject({ 'sallyport.request.id': requestIdOf(answer) });
    const consults = spans.filter(({ name }) => name.startsWith('consult '));
    expect(consults.map(({ name }) => name).sort()).toEqual(['consult auth', 'consult rate-limit', 'consult waf']);
    expect(new Set(consults.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([server.spanId]));
    const client = spans.find(({ spanId }) => spanId === upstream.spanId);
    expect(client).toMatchObject({ kind: 'client', parentSpanId: server.spanId });
  });

  it('goes on with the trace of a caller where the route trusts it', async () => {
    const caller = callerTrace();
    const upstream = traceparentAt(await send('trusting', { traceparent: caller.field }));
    expect(upstream.traceId).toBe(caller.traceId);
    const spans = await spansOf(caller.traceId, 5);
    expect(spans.find(({ kind }) => kind === 'server')).toMatchObject({ parentSpanId: caller.spanId });
  });

  it('begins a trace of its own elsewhere, and links it to that of the caller', async () => {
    const caller = callerTrace();
    const upstream = traceparentAt(await send('wary', { traceparent: caller.field }));
    expect(upstream.traceId).not.toBe(caller.traceId);
    const spans = await spansOf(upstream.traceId, 5);
    expect(spans.find(({ kind }) => kind === 'server')).toMatchObject({
      parentSpanId: undefined,
      links: [{ traceId: caller.traceId, spanId: caller.spanId }],
    });
    expect(collector().spans.filter(({ traceId }) => traceId === caller.traceId)).toEqual([]);
  });

  it('is named by the record of the request, which can be found by it', async () => {
    const answer = await send('wary');
    const { traceId } = traceparentAt(answer);
    const record = await product().recordOf(requestIdOf(answer));
    expect(record.trace?.uid).toBe(traceId);
    const found = expectStatus(await product().admin(`/api/audit/v1/events?trace=${traceId}`), 200);
    expect(found.json<{ items: { uid: string }[] }>().items.map(({ uid }) => uid)).toContain(record.uid);
  });

  it('is linked by the work that stores the record', async () => {
    const answer = await send('wary');
    const { traceId } = traceparentAt(answer);
    const [server] = (await spansOf(traceId, 5)).filter(({ kind }) => kind === 'server');
    const work = await until(
      'the audit service tells of its work',
      () =>
        collector().spans.find(
          ({ service, links }) => service === 'sallyport-audit' && links.some((link) => link.traceId === traceId),
        ),
      { within: 2 * PATIENCE_MS },
    );
    expect(work).toMatchObject({ kind: 'consumer', parentSpanId: undefined });
    expect(work.links).toContainEqual({ traceId, spanId: server!.spanId });
  });
}
