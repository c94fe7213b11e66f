import type { ServerResponse } from 'node:http';
import type { RoutePriority, SnapshotRoute } from '@sallyport/contracts';
import { someRoute } from '@sallyport/testkit';
import {
  everyKeyIsAConsumer,
  IngressUnderTest,
  RecordingUpstream,
  someUpstream,
  until as untilWithin,
  type Answer,
} from '../ingress-under-test';
import type { Signals } from './pressure';

const quiet: Signals = { loopDelayMs: 1, heap: 0.2, sockets: 0 };
/** Enough under way for a busy process to turn requests away. */
const UNDER_WAY = 40;

describe('an ingress under pressure', () => {
  let ingress: IngressUnderTest;
  let upstream: RecordingUpstream;
  let held: ServerResponse[] = [];
  let signals = quiet;
  let consulted = 0;

  beforeAll(async () => {
    upstream = await RecordingUpstream.listen();
    upstream.respond = (incoming, response) => {
      if (incoming.url?.endsWith('/hold')) held.push(response);
      else response.end('ok');
    };
    ingress = await IngressUnderTest.start({
      verifier: {
        verify: (presented, done) => {
          consulted++;
          everyKeyIsAConsumer.verify(presented, done);
        },
      },
      signals: () => signals,
    });
    const timeouts = { connectMs: 5_000, firstByteMs: 60_000, idleMs: 60_000 };
    await ingress.publish([route('low'), route('normal'), route('high')], someUpstream(upstream.url, { timeouts }));
  });
  afterAll(async () => {
    for (const response of held) response.end();
    await ingress.close();
    await upstream.close();
  });
  afterEach(async () => {
    signals = quiet;
    for (const response of held.splice(0)) response.end('late');
    await until(async () => (await metric('sallyport_ingress_inflight')) === 0);
    await until(async () => (await call('low')).status === 200);
  });

  const call = (priority: RoutePriority, path = ''): Promise<Answer> =>
    ingress.ask(`/${priority}${path}`, { fields: { authorization: 'Bearer any', connection: 'keep-alive' } });
  const metric = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'm').exec(await ingress.runtime.metrics.exposition())?.[1] ?? NaN);
  const fill = async (): Promise<void> => {
    held = [];
    for (let at = 0; at < UNDER_WAY; at++) void call('normal', '/hold');
    await until(() => held.length === UNDER_WAY);
  };

  it('turns low priority away at once, without asking anybody, and says when to come again', async () => {
    await fill();
    signals = { ...quiet, loopDelayMs: 60 };
    await until(async () => (await call('low')).status === 503);
    const before = consulted;
    const refused = await call('low');
    expect(refused.status).toBe(503);
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'INGRESS_OVERLOADED' });
    expect(Number(refused.fields['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(Number(refused.fields['retry-after'])).toBeLessThanOrEqual(2);
    expect(consulted).toBe(before);
    expect([(await call('normal')).status, (await call('high')).status]).toEqual([200, 200]);
  });

  it('serves only high priority when its loop is very late', async () => {
    await fill();
    signals = { ...quiet, loopDelayMs: 250 };
    await until(async () => (await call('normal')).status === 503);
    expect([(await call('low')).status, (await call('normal')).status]).toEqual([503, 503]);
    expect((await call('high')).status).toBe(200);
  });

  it('turns nobody away for a late loop while hardly anything is under way', async () => {
    signals = { ...quiet, loopDelayMs: 250 };
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await call('low')).status).toBe(200);
  });

  it('ends connections with their answers when its heap fills up', async () => {
    expect((await call('normal')).fields['connection']).toBe('keep-alive');
    signals = { ...quiet, heap: 0.85 };
    await until(async () => (await call('normal')).fields['connection'] === 'close');
    expect(await call('normal')).toMatchObject({ status: 200, body: 'ok' });
    signals = { ...quiet, heap: 0.92 };
    await until(async () => (await call('high')).status === 503);
  });
});

const until = (condition: () => boolean | Promise<boolean>): Promise<void> => untilWithin(condition, 20_000);

function route(priority: RoutePriority): SnapshotRoute {
  return someRoute({
    id: `${priority}/v1/all`,
    class: 'internal',
    match: { host: null, pathPrefix: `/${priority}`, methods: [] },
    // Normal is what a route has that says nothing.
    ...(priority !== 'normal' && { priority }),
  });
}
