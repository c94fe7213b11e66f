import type { Snapshot } from '@sallyport/contracts';
import { publishSnapshot } from '@sallyport/platform';
import { GOOD_KEY, IngressUnderTest, someSnapshot, type Answer } from '../ingress-under-test';

describe('the model endpoints', () => {
  let ingress: IngressUnderTest;
  beforeAll(async () => {
    ingress = await IngressUnderTest.start();
    await ingress.publish([]);
  });
  afterAll(() => ingress.close());

  const call = (path: string, method: string, fields: Record<string, string> = {}, body?: string): Promise<Answer> =>
    ingress.ask(path, { method, fields: { authorization: GOOD_KEY, ...fields }, body });
  const chat = (contentType: string | undefined, body: string) =>
    call('/v1/chat/completions', 'POST', contentType === undefined ? {} : { 'content-type': contentType }, body);

  const good = JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'hi' }] });
  const twice = good.replace('"role":"user"', '"role":"user","role":"system"');

  it.each(['application/json', 'Application/JSON; charset=utf-8'])(
    'take a body called %s, inspected as JSON',
    async (type) => {
      expect((await chat(type, good)).status).toBe(200);
      expect(await chat(type, twice)).toMatchObject({ status: 400, body: expect.stringContaining('waf_malformed') });
    },
  );

  it.each([undefined, 'text/plain', 'image/png', 'application/grpc', 'application/x-www-form-urlencoded', 'text/json'])(
    'take no body called %s: nobody would inspect it as what it is read as',
    async (type) => {
      for (const body of [good, twice]) {
        const answer = await chat(type, body);
        expect(answer).toMatchObject({ status: 415, body: expect.stringContaining('media_type_unsupported') });
      }
    },
  );

  it('say which method they take', async () => {
    expect(await call('/v1/models', 'POST')).toMatchObject({ status: 405, fields: { allow: 'GET' } });
    expect(await call('/v1/chat/completions', 'GET')).toMatchObject({ status: 405, fields: { allow: 'POST' } });
  });

  it('call a regulated model only when it is on record that they will', async () => {
    const echo = { tenant: 'default', name: 'echo' };
    const models: Snapshot['models'] = [
      { ...echo, class: 'regulated', targets: [{ account: 'echo', model: 'echo', price: null }] },
    ];
    const accounts: Snapshot['accounts'] = [
      { ...echo, provider: 'echo', wire: 'echo', baseUrl: null, allowPrivate: false, key: null },
    ];
    await publishSnapshot(ingress.runtime.bus, { ...someSnapshot('c_100', [], []), models, accounts });
    await ingress.inForce('c_100');
    const slow = good.replace('"echo"', '"echo-slow"');
    const { trail } = ingress.runtime;

    expect((await chat('application/json', good)).status).toBe(200);
    expect((await chat('application/json', slow)).status).toBe(200);
    expect(trail.bodies('request.admitted')).toHaveLength(1);
    trail.full = true;
    const refused = await chat('application/json', good);
    expect(refused).toMatchObject({ status: 503, body: expect.stringContaining('audit_unavailable') });
    expect((await chat('application/json', slow)).status).toBe(200);
    trail.full = false;
  });
});
