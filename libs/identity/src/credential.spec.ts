import fc from 'fast-check';
import { isRefusal, type Field } from '@sallyport/contracts';
import { takeCredential } from './credential';

const KEY = `sp_live_${'a'.repeat(60)}`;

function take(fields: Array<[string, string]>, query = '', keyHeaders: string[] = []) {
  return takeCredential({ fields: fields.map(([name, value]): Field => ({ name, value })), query }, keyHeaders);
}

const bearer = (value: string): [string, string] => ['authorization', value];
const malformed = expect.objectContaining({ code: 'AUTH_MALFORMED' });

describe('taking the credential of a request', () => {
  it('finds none where none is sent', () => {
    expect(take([['accept', '*/*']], 'page=2')).toBeUndefined();
  });

  it('takes a bearer token as it stands', () => {
    expect(take([bearer('Bearer eyJ.a-b_c.d~+/==')])).toEqual({ kind: 'bearer', value: 'eyJ.a-b_c.d~+/==' });
  });

  it('takes a bearer value that begins sp_ for an API key', () => {
    expect(take([bearer(`Bearer ${KEY}`)])).toEqual({ kind: 'api-key', value: KEY });
  });

  it('takes an API key field only where the dialect has one', () => {
    expect(take([['x-api-key', KEY]], '', ['x-api-key'])).toEqual({ kind: 'api-key', value: KEY });
    expect(take([['x-api-key', 'of the upstream']])).toBeUndefined();
  });

  it.each([
    ['a tab', [bearer('Bearer\ttoken')]],
    ['two spaces', [bearer('Bearer  token')]],
    ['a comma list', [bearer('Bearer one, Bearer two')]],
    ['a lower-case scheme', [bearer('bearer token')]],
    ['trailing junk', [bearer('Bearer token x')]],
    ['a trailing space', [bearer('Bearer token ')]],
    ['no token', [bearer('Bearer ')]],
    ['an empty field', [bearer('')]],
    ['two fields', [bearer('Bearer one'), bearer('Bearer two')]],
    ['two equal fields', [bearer('Bearer one'), bearer('Bearer one')]],
    ['basic beside bearer', [bearer('Basic dTpw'), bearer('Bearer one')]],
    ['basic alone', [bearer('Basic dTpw')]],
  ] as Array<[string, Array<[string, string]>]>)('T18 %s is malformed', (_, fields) => {
    expect(take(fields)).toEqual(malformed);
  });

  it.each([
    ['an API key beside a bearer token', [bearer('Bearer one'), ['x-api-key', KEY]]],
    [
      'two API key fields',
      [
        ['x-api-key', KEY],
        ['x-api-key', KEY],
      ],
    ],
    ['a comma list in the API key field', [['x-api-key', `${KEY},${KEY}`]]],
    ['an empty API key field', [['x-api-key', '']]],
  ] as Array<[string, Array<[string, string]>]>)('%s is malformed', (_, fields) => {
    expect(take(fields, '', ['x-api-key'])).toEqual(malformed);
  });

  it.each([
    'access_token=abc',
    'a=1&access%5Ftoken=abc',
    'access_token',
    `page=2&key=${KEY}`,
    `k=%73p_live_${'a'.repeat(60)}`,
    `next=${KEY}&next=x`,
  ])('I8 a credential in the query alone, or beside one in a field, is malformed: %s', (query) => {
    expect(take([], query)).toEqual(malformed);
    expect(take([bearer('Bearer token')], query)).toEqual(malformed);
  });

  it('leaves ordinary parameters alone, broken escapes included', () => {
    expect(take([], 'key=AIza&token=abc&q=sp_live&x=%E0%A4%A&')).toBeUndefined();
  });

  it('never repeats what was sent', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 12, unit: 'grapheme-ascii' }),
        fc.string({ minLength: 12 }),
        (first, second) => {
          const outcome = take([bearer(`X${first}`), bearer(second)], `access_token=${encodeURIComponent(first)}`);
          expect(isRefusal(outcome)).toBe(true);
          expect(JSON.stringify(outcome)).not.toContain(JSON.stringify(first).slice(1, -1));
        },
      ),
    );
  });
});
