import { GOOD_KEY, IngressUnderTest, type Answer } from '../ingress-under-test';

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
});
