import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { describeAddress, type Closable } from './address';
import { startHealth, type Readiness } from './health';
import { ListenError } from './listening';
import { createMetrics } from './metrics';

describe('the health listener', () => {
  let folder: string;
  let path: string;
  let agent: Agent;
  let health: Closable;
  let state: Readiness;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sp-'));
    path = join(folder, 'health.sock');
    state = { ready: true, reasons: [] };
    const metrics = createMetrics('waf');
    metrics.counter('sallyport_waf_decisions_total', 'Decisions.').add(4);
    health = await startHealth({ address: { path }, metrics, ready: () => state });
    agent = new Agent({ connect: { socketPath: path } });
  });

  afterEach(async () => {
    await agent.close();
    await health.close();
    rmSync(folder, { recursive: true });
  });

  const get = async (target: string, method: 'GET' | 'HEAD' | 'POST' = 'GET') => {
    const answer = await request(`http://localhost${target}`, { dispatcher: agent, method });
    return { status: answer.statusCode, body: await answer.body.text(), type: answer.headers['content-type'] };
  };

  it('says that the process lives, whatever else is down', async () => {
    state = { ready: false, reasons: ['no configuration yet'] };
    await expect(get('/livez')).resolves.toMatchObject({ status: 200 });
  });

  it('says why the process wants no traffic', async () => {
    state = { ready: false, reasons: ['no configuration yet'] };
    const answer = await get('/readyz');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toEqual({ status: 'not ready', reasons: ['no configuration yet'] });
    state = { ready: true, reasons: [] };
    await expect(get('/readyz')).resolves.toMatchObject({ status: 200 });
  });

  it('has started where it listens, also when it wants no traffic: who is not ready need not be started again', async () => {
    state = { ready: false, reasons: ['the clock is 600 s ahead of the others'] };
    await expect(get('/startupz')).resolves.toMatchObject({ status: 200 });
  });

  it('has not started while it says that something is still to be done', async () => {
    const starting = join(folder, 'starting.sock');
    let started = false;
    const other = await startHealth({
      address: { path: starting },
      metrics: createMetrics('ingress'),
      ready: () => state,
      started: () => started,
    });
    const dispatcher = new Agent({ connect: { socketPath: starting } });
    const status = async () => {
      const { statusCode, body } = await request('http://localhost/startupz', { dispatcher });
      await body.dump();
      return statusCode;
    };
    expect(await status()).toBe(503);
    started = true;
    expect(await status()).toBe(200);
    await dispatcher.close();
    await other.close();
  });

  it('shows the metrics in the text format of Prometheus', async () => {
    const answer = await get('/metrics');
    expect(answer.type).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.body).toContain('sallyport_waf_decisions_total{app="waf"} 4\n');
  });

  it('answers nothing else', async () => {
    await expect(get('/')).resolves.toMatchObject({ status: 404 });
    await expect(get('/constructor')).resolves.toMatchObject({ status: 404 });
    await expect(get('/livez', 'POST')).resolves.toMatchObject({ status: 405 });
  });

  it('names an address that is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const address = { host: '127.0.0.1', port };
    const start = startHealth({ address, metrics: createMetrics('waf'), ready: () => state });
    await expect(start).rejects.toThrow(ListenError);
    await expect(start).rejects.toThrow(`cannot listen on ${describeAddress(address)}: another process listens there`);
    await new Promise((resolve) => other.close(resolve));
  });
});
