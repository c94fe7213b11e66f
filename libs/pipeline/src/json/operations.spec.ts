import fc from 'fast-check';
import { policyInput } from '@sallyport/testkit';
import { compileOperations, documentOfForm, formOfDocument, jsonOperation, NotTransformable } from './operations';
import { readExactJson, writeExactJson, type ExactJson } from './strict-json';

function apply(operations: object[], text: string): string {
  const { value } = readExactJson(Buffer.from(text)) as { value: ExactJson };
  const made = compileOperations(operations.map((operation) => jsonOperation.parse(operation)))(value, policyInput());
  return made instanceof NotTransformable ? `! ${made.reason}` : writeExactJson(made);
}

describe('operations on a document', () => {
  it.each<[object[], string, string]>([
    [[{ set: '/a', value: { x: [1] } }], '{"b":1.10}', '{"b":1.10,"a":{"x":[1]}}'],
    [[{ set: '/a/b/c', value: true }], '{}', '{"a":{"b":{"c":true}}}'],
    [[{ set: '/l/-', value: 3 }], '{"l":[1,2]}', '{"l":[1,2,3]}'],
    [[{ set: '/l/0', value: 3 }], '{"l":[1,2]}', '{"l":[3,2]}'],
    [[{ set: '/l/5', value: 3 }], '{"l":[1,2]}', '! a list has no place 5'],
    [[{ set: '/a/b', value: 3 }], '{"a":"text"}', '! a value stands where an object is expected'],
    [[{ set: '/id', text: '{request_id}-x' }], '{}', '{"id":"req_0000000000000000000000-x"}'],
    [[{ remove: '/a/b' }], '{"a":{"b":1,"c":2}}', '{"a":{"c":2}}'],
    [[{ remove: '/l/1' }], '{"l":[1,2,3]}', '{"l":[1,3]}'],
    [[{ remove: '/x' }], '{"a":1}', '{"a":1}'],
    [[{ remove: '/x', required: true }], '{"a":1}', '! there is nothing at /x'],
    [[{ rename: '/b', to: 'B' }], '{"a":1,"b":2,"c":3}', '{"a":1,"B":2,"c":3}'],
    [[{ rename: '/b', to: 'c' }], '{"a":1,"b":2,"c":3}', '{"a":1,"c":2}'],
    [[{ move: '/a/x', to: '/y' }], '{"a":{"x":12345678901234567890}}', '{"a":{},"y":12345678901234567890}'],
    [
      [
        { copy: '/a', to: '/b' },
        { set: '/b/x', value: 2 },
      ],
      '{"a":{"x":1}}',
      '{"a":{"x":1},"b":{"x":2}}',
    ],
    [[{ wrap: 'data' }], '[1,1e400]', '{"data":[1,1e400]}'],
    [[{ unwrap: '/data' }], '{"data":[1],"meta":2}', '[1]'],
    [[{ unwrap: '/data' }], '{"meta":2}', '! there is nothing at /data'],
    [[{ set: '/__proto__/admin', value: true }], '{}', '{"__proto__":{"admin":true}}'],
  ])('%j on %s: %s', (operations, before, after) => expect(apply(operations, before)).toBe(after));

  it('do not let a document grow without end', () => {
    const doubling = Array.from({ length: 60 }, (_, at) => ({ copy: '/a', to: `/a/c${at}` }));
    expect(apply(doubling, '{"a":{}}')).toBe('! it would grow beyond bounds');
  });

  it('leave the configuration as it is', () => {
    const transform = compileOperations([
      jsonOperation.parse({ set: '/a', value: {} }),
      jsonOperation.parse({ set: '/a/b', value: 1 }),
    ]);
    for (const _ of [1, 2])
      expect(writeExactJson(transform(new Map(), policyInput()) as ExactJson)).toBe('{"a":{"b":1}}');
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it.each([
    { set: 'a', value: 1 },
    { set: '', value: 1 },
    { set: '/a' },
    { move: '/a' },
    { remove: '/~2' },
    { set: '/a', text: '{nothing}' },
  ])('refuse the configuration %j', (operation) => {
    expect(jsonOperation.safeParse(operation).success).toBe(false);
  });

  it('property: nothing but what they name changes', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((name) => name !== 'new'),
          fc.jsonValue(),
          { noNullPrototype: true },
        ),
        (value) => {
          const text = JSON.stringify(value);
          expect(JSON.parse(apply([{ set: '/new', value: 1 }, { remove: '/new' }], text))).toEqual(JSON.parse(text));
        },
      ),
    );
  });
});

describe('forms and documents', () => {
  it('become one another', () => {
    const form = new Map([
      ['a b', ['1 &']],
      ['c', ['x', 'ü']],
    ]);
    expect(writeExactJson(documentOfForm(form))).toBe('{"a b":"1 &","c":["x","ü"]}');
    expect(formOfDocument(documentOfForm(form))).toBe('a+b=1+%26&c=x&c=%C3%BC');
  });

  it.each(['{"a":{"b":1}}', '{"a":[[1]]}', '[1]', '"x"'])('do not where a form cannot say it: %s', (text) => {
    const { value } = readExactJson(Buffer.from(text)) as { value: ExactJson };
    expect(formOfDocument(value)).toBeInstanceOf(NotTransformable);
  });
});
