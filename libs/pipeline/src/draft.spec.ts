import fc from 'fast-check';
import { someHead } from '@sallyport/testkit';
import { AnswerDraft, FieldDraft, fieldText, isEditable, RequestDraft } from './draft';

describe('fields being edited', () => {
  it('are copied at the first change and never before', () => {
    const received = ['a', '1', 'b', '2'];
    const draft = new FieldDraft(received);
    draft.remove('c');
    expect([draft.raw, draft.changed]).toEqual([received, false]);
    draft.add('a', '3');
    expect([draft.raw, received]).toEqual([
      ['a', '1', 'b', '2', 'a', '3'],
      ['a', '1', 'b', '2'],
    ]);
    expect([draft.get('a'), draft.all('a'), draft.get('c'), draft.has('b')]).toEqual([
      '1, 3',
      ['1', '3'],
      undefined,
      true,
    ]);
    draft.set('a', '4');
    expect(draft.raw).toEqual(['b', '2', 'a', '4']);
  });

  it.each(['host', 'content-length', 'transfer-encoding', 'x-sallyport-tenant', 'x-forwarded-for', 'A', 'a:', ''])(
    'have no place for %p from a policy',
    (name) => {
      expect(isEditable(name)).toBe(false);
      expect(() => new FieldDraft([]).set(name, '1')).toThrow();
    },
  );

  it('have no value that ends a field or begins another one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(fieldText(text)).toMatch(/^[\t\x20-\x7e]*$/);
      }),
    );
    expect(fieldText('a b, c="%"')).toBe('a b, c="%"');
    expect(fieldText('100 % größer\r\n')).toBe('100 %25 gr%C3%B6%C3%9Fer%0D%0A');
  });
});

describe('an answer being edited for its body', () => {
  it('tells what body hooks made of it apart from what hooks of the head did', () => {
    const draft = new AnswerDraft('upstream', 200, ['etag', '"1"', 'x-secret', '1', 'vary', 'a']);
    const seen = [...draft.fields.raw];
    draft.fields.set('vary', 'a, b');
    draft.status = 203;
    draft.bodyFollows();
    expect(draft.editedForBody(200, seen)).toEqual({ status: 200, fields: seen });
    draft.fields.set('etag', 'W/"1"');
    draft.fields.remove('x-secret');
    draft.fields.set('content-encoding', 'gzip');
    expect(draft.editedForBody(200, seen).fields).toEqual(['vary', 'a', 'etag', 'W/"1"', 'content-encoding', 'gzip']);
    draft.status = 404;
    expect(draft.editedForBody(200, seen).status).toBe(404);
  });
});

describe('a request being edited', () => {
  it('is the very head that was judged as long as nothing is edited', () => {
    const request = someHead();
    expect(new RequestDraft(request, '/orders').head).toBe(request);
  });

  it('takes a path in its one spelling, or none', () => {
    const draft = new RequestDraft(someHead(), '/orders');
    expect(draft.setPath('/a/%7Eb')).toBeUndefined();
    expect(draft.path).toBe('/a/~b');
    for (const path of ['a', '/a//b', '/a/../b', '/a/%2e%2e', '/a%2Fb', '/a%252e', '/a\r\n'])
      expect(draft.setPath(path)?.code).toBe('REQUEST_MALFORMED');
    expect(draft.path).toBe('/a/~b');
  });

  it('tells no query from an empty one', () => {
    const draft = new RequestDraft(someHead({ hasQuery: true }), '/orders');
    expect(draft.query).toBe('');
    expect(draft.setQuery('a=b c')?.code).toBe('REQUEST_MALFORMED');
    expect(draft.setQuery('a=b#c')?.code).toBe('REQUEST_MALFORMED');
    expect(draft.setQuery(undefined)).toBeUndefined();
    expect(draft.query).toBeUndefined();
  });
});

describe('an answer being edited', () => {
  it('gets its length from the gateway alone', () => {
    const { fields } = new AnswerDraft('upstream', 200, ['content-length', '3']);
    expect(() => fields.set('content-length', '4')).toThrow();
    fields.setLength(5);
    expect(fields.raw).toEqual(['content-length', '5']);
    fields.remove('content-length');
    expect(fields.raw).toEqual([]);
  });
});
