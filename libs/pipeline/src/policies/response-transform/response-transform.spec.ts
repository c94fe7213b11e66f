import { isRefusal } from '@sallyport/contracts';
import { policyInput, someRoute } from '@sallyport/testkit';
import { AnswerDraft, RequestDraft } from '../../draft';
import { servicesWithoutMemory } from '../../policy-services';
import { responseTransform } from './response-transform';

function answer(
  config: object,
  body: string,
  fields: string[] = ['content-type', 'application/json'],
  { status = 200, method = 'GET' } = {},
) {
  const hooks = responseTransform.compile(responseTransform.config.parse(config), someRoute(), servicesWithoutMemory);
  const input = policyInput({ method });
  const draft = new AnswerDraft('upstream', status, fields);
  let made: unknown = hooks.answerHead?.(input, draft);
  const { answerBody } = hooks;
  let sent = body;
  if (!made && method !== 'HEAD' && answerBody?.mode === 'whole' && answerBody.wants(input, draft)) {
    answerBody.run(input, draft, Buffer.from(body), (given) => (made = given));
    if (Buffer.isBuffer(made)) sent = made.toString();
  }
  return isRefusal(made) ? { refused: made.code } : { body: sent, fields: draft.fields };
}

const hide = { json: [{ remove: '/secret' }], fields: [{ set: 'x-id', body: '/id' }] };
const TYPE = ['content-type', 'application/json'];

describe('the response-transform policy', () => {
  it('takes out what callers must not see, and keeps the rest to the digit', () => {
    const made = answer(hide, '{"id":1.0,"secret":{"a":1}}', [...TYPE, 'etag', '"1"', 'content-digest', 'x']);
    expect([made.body, made.fields!.raw]).toEqual([
      '{"id":1.0}',
      ['content-type', 'application/json', 'x-id', '1.0', 'etag', 'W/"1"'],
    ]);
  });

  it('asks the upstream for the whole answer, unpacked', () => {
    const hooks = responseTransform.compile(responseTransform.config.parse(hide), someRoute(), servicesWithoutMemory);
    const input = policyInput({
      fields: [
        { name: 'range', value: 'bytes=0-1' },
        { name: 'accept-encoding', value: 'br' },
      ],
    });
    const draft = new RequestDraft(input.request, '/');
    hooks.shape!(input, draft);
    expect(draft.fields.raw).toEqual(['accept-encoding', 'identity']);
  });

  it.each<[string, string, string[], number]>([
    ['is not JSON', 'x', ['content-type', 'text/html'], 200],
    ['is packed', 'x', [...TYPE, 'content-encoding', 'gzip'], 200],
    ['is a part', '{"secret":1}', TYPE, 206],
    ['is broken', '{"secret":1', TYPE, 200],
    ['has no type', '{"secret":1}', [], 200],
  ])('lets nothing pass that %s', (_, body, fields, status) => {
    expect(answer(hide, body, fields, { status }).refused).toBe('TRANSFORM_ANSWER_IMPOSSIBLE');
  });

  it('leaves errors of the upstream alone, unless they are meant as well', () => {
    const wrap = { json: [{ wrap: 'error' }] };
    expect(answer(wrap, '{}', TYPE, { status: 500 }).body).toBe('{}');
    expect(answer({ ...wrap, on: 'all' }, '{}', TYPE, { status: 500 }).body).toBe('{"error":{}}');
  });

  it('says nothing of the length of a body that HEAD did not get', () => {
    expect(answer(hide, '', [...TYPE, 'content-length', '20'], { method: 'HEAD' }).fields!.has('content-length')).toBe(
      false,
    );
  });

  it.each([
    ['an answer to HEAD', { method: 'HEAD' }, TYPE],
    ['a 304', { status: 304 }, []],
  ])('says in %s what it would say of a body', (_, asked, type) => {
    const fields = [...type, 'etag', '"e"', 'content-digest', 'x', 'repr-digest', 'y', 'x-backend', 'db-7'];
    const steps = { json: [{ remove: '/secret' }], fields: [{ remove: 'x-backend' }] };
    expect(answer(steps, '', fields, asked).fields!.raw).toEqual([...type, 'etag', 'W/"e"']);
    expect(answer({ fields: steps.fields }, '', fields, asked).fields!.raw).toEqual(fields.slice(0, -2));
  });

  it('leaves alone to HEAD what it would leave alone to GET', () => {
    const fields = ['content-type', 'text/html', 'etag', '"e"', 'content-length', '5'];
    const steps = { ...hide, otherTypes: 'pass' };
    expect(answer(steps, '', fields, { method: 'HEAD' }).fields!.raw).toEqual(fields);
    expect(answer(steps, 'hello', fields).fields!.raw).toEqual(fields);
  });

  it('changes fields alone without reading a body', () => {
    const made = answer({ fields: [{ remove: 'x-backend' }, { set: 'x-a', text: '{method}' }] }, 'x', [
      'x-backend',
      '1',
    ]);
    expect(made.fields!.raw).toEqual(['x-a', 'GET']);
  });
});
