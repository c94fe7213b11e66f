import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTracer } from './tracing';

describe('a tracer with a collector', () => {
  let collector: Server;
  let url: string;
  let bodies: string[];
  let paths: Array<string | undefined>;

  beforeEach(async () => {
    bodies = [];
    paths = [];
    collector = createServer((request, response) => {
      paths.push(request.url);
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        bodies.push(body);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    collector.closeAllConnections();
    await new Promise((resolve) => collector.close(resolve));
  });

  it('sends spans to it as OTLP over HTTP', async () => {
    const tracer = createTracer({ app: 'waf', node: 'node-1', version: '0.1.0', otlpUrl: url, ratio: 1 });
    const span = tracer.start('inspect', { kind: 'server', attributes: { 'sallyport.route.class': 'public' } });
    span.end();
    await tracer.close();
    expect(paths).toEqual(['/v1/traces']);
    const [resource] = JSON.parse(bodies[0]!).resourceSpans;
    expect(resource.resource.attributes).toContainEqual({
      key: 'service.name',
      value: { stringValue: 'sallyport-waf' },
    });
    expect(resource.scopeSpans[0].spans[0]).toMatchObject({ traceId: span.context.traceId, name: 'inspect', kind: 2 });
  });

  it('ends in time when the collector is gone', async () => {
    const tracer = createTracer({ app: 'waf', node: 'n', version: '0', otlpUrl: 'http://127.0.0.1:9', ratio: 1 });
    tracer.start('inspect').end();
    const begun = performance.now();
    await tracer.close();
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});
