import fc from 'fast-check';
import { policyInput, somePrincipal, someRoute } from '@sallyport/testkit';
import { AnswerDraft, RequestDraft } from '../../draft';
import type { PolicyHooks, PolicyInput } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { headerRewrite } from './header-rewrite';

function hooksFor(given: object): PolicyHooks {
  return headerRewrite.compile(headerRewrite.config.parse(given), someRoute(), servicesWithoutMemory);
}

function upstream(given: object, input: PolicyInput): Record<string, string[]> {
  const draft = new RequestDraft(input.request, input.request.path);
  hooksFor(given).shape!(input, draft);
  const found: Record<string, string[]> = {};
  for (const { name, value } of draft.head.fields) (found[name] ??= []).push(value);
  return found;
}

const input = policyInput(
  {
    path: '/orders/a%20b/lines/7',
    fields: [
      { name: 'x-old', value: '1' },
      { name: 'x-old', value: '2' },
      { name: 'x-debug', value: 'yes' },
      { name: 'accept', value: 'text/plain' },
    ],
    field: new Map([['accept', 'text/plain']]),
  },
  {
    principal: somePrincipal({ consumer: 'Größe & Söhne', subject: 'robot' }),
    matched: '/orders'.length,
    requestId: 'req_1',
  },
);

describe('the fields that go upstream', () => {
  it('are removed, renamed, set and added in this order', () => {
    const given = {
      request: {
        remove: ['X-Debug'],
        rename: { 'x-old': 'x-new' },
        set: { accept: 'application/json' },
        add: { 'x-new': '3' },
      },
    };
    expect(upstream(given, input)).toEqual({ accept: ['application/json'], 'x-new': ['1', '2', '3'] });
  });

  it('take values from the request, from the caller and from its path', () => {
    const given = {
      path: '/{order}/lines/{line}',
      request: { set: { 'x-made': '{request_id}:{subject}:{param.order}:{param.line}:{header.accept}:{param.line}' } },
    };
    expect(upstream(given, input)['x-made']).toEqual(['req_1:robot:a%20b:7:text/plain:7']);
  });

  it('hold text of any language escaped, since readers disagree on it', () => {
    expect(upstream({ request: { set: { 'x-who': '{consumer}' } } }, input)['x-who']).toEqual([
      'Gr%C3%B6%C3%9Fe & S%C3%B6hne',
    ]);
  });

  it('have an empty value where there is nothing to refer to', () => {
    const anonymous = policyInput({ path: '/' });
    expect(
      upstream({ path: '/{id}/x', request: { set: { 'x-who': '<{consumer}{param.id}>' } } }, anonymous)['x-who'],
    ).toEqual(['<>']);
  });

  it('leave the request as it was judged', () => {
    const draft = new RequestDraft(input.request, '/');
    hooksFor({ request: { set: { accept: 'x' } } }).shape!(input, draft);
    expect(input.request.fields.filter(({ name }) => name === 'accept')).toEqual([
      { name: 'accept', value: 'text/plain' },
    ]);
  });

  it('never end before their line does, whatever a value holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (subject) => {
        const from = policyInput({}, { principal: somePrincipal({ subject }) });
        const [value] = upstream({ request: { set: { 'x-who': '{subject}' } } }, from)['x-who']!;
        expect(value).toMatch(/^[\t\x20-\x7e]*$/);
      }),
    );
  });
});

describe('the fields of an answer', () => {
  const given = { answer: { set: { 'x-served': '{service}' }, remove: ['x-runtime'] } };

  it('are rewritten, on refusals as well unless the route says otherwise', () => {
    const rewritten = (more: object, origin: 'upstream' | 'refusal'): readonly string[] => {
      const draft = new AnswerDraft(origin, 200, ['x-runtime', '3', 'etag', '"1"']);
      hooksFor({ ...given, ...more }).answerHead!(input, draft);
      return draft.fields.raw;
    };
    expect(rewritten({}, 'upstream')).toEqual(['etag', '"1"', 'x-served', 'orders']);
    expect(rewritten({}, 'refusal')).toEqual(['etag', '"1"', 'x-served', 'orders']);
    expect(rewritten({ refusals: false }, 'refusal')).toEqual(['x-runtime', '3', 'etag', '"1"']);
  });
});

describe('the configuration of header-rewrite', () => {
  it.each([
    'host',
    'Content-Length',
    'transfer-encoding',
    'connection',
    'x-sallyport-subject',
    'x_sallyport_subject',
    'X-Forwarded-For',
    'forwarded',
    'authorization',
    'traceparent',
    'x-user-id',
    'te',
    'a b',
    '',
  ])('never touches %p', (name) => {
    for (const edit of [
      { set: { [name]: 'x' } },
      { add: { [name]: 'x' } },
      { remove: [name] },
      { rename: { [name]: 'x-b' } },
      { rename: { 'x-b': name } },
    ]) {
      expect(headerRewrite.config.safeParse({ request: edit }).success).toBe(false);
      expect(headerRewrite.config.safeParse({ answer: edit }).success).toBe(false);
    }
  });

  it.each([
    ['a line end', 'a\r\nx-evil: 1'],
    ['NUL', 'a\0'],
    ['a reference that is not known', '{consumers}'],
    ['a parameter that the path does not have', '{param.other}'],
    ['a brace that stands for nothing', 'a}'],
  ])('refuses a value with %s', (_, text) => {
    expect(headerRewrite.config.safeParse({ path: '/{id}', request: { set: { 'x-a': text } } }).success).toBe(false);
  });
});
