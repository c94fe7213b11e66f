import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { processorMillis } from '@sallyport/testkit';
import { readJson } from '../json/strict-json';
import { formats } from './formats';
import { dialectOf, SchemaDocument } from './schema-document';
import { SchemaError, type Dialect } from './schema-compiler';
import { lengthOf, multiplesOf } from './values';

interface VectorGroup {
  readonly about: string;
  readonly dialects?: Dialect[];
  readonly schema: unknown;
  readonly valid: unknown[];
  readonly invalid: unknown[];
}
const groups = JSON.parse(readFileSync(join(__dirname, 'schema.vectors.json'), 'utf8')) as VectorGroup[];
const vectors = groups.flatMap((group) =>
  (group.dialects ?? ['2020-12']).map((dialect) => [`${group.about} (${dialect})`, dialect, group] as const),
);

const valid = (schema: unknown, value: unknown, dialect: Dialect = '2020-12') =>
  new SchemaDocument(schema, dialect).validator()(value) === undefined;

describe('JSON Schema', () => {
  it.each(vectors)('%s', (_, dialect, { schema, valid: good, invalid: bad }) => {
    const validate = new SchemaDocument(schema, dialect).validator();
    expect(good.filter((value) => validate(value) !== undefined)).toEqual([]);
    expect(bad.filter((value) => validate(value) === undefined)).toEqual([]);
  });

  it('property: says what another validator says of schemas and values of many kinds', () => {
    const scalar = fc.constantFrom<unknown>(null, true, false, 0, 1, 2, 1.5, -1, 'a', 'ab', 'abc', '');
    const value = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        scalar,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).value;
    const name = fc.constantFrom('a', 'b', 'c');
    const schemas = (dialect: Dialect) =>
      fc.letrec<{ schema: unknown }>((tie) => {
        const schema = tie('schema');
        const list = fc.array(schema, { minLength: 1, maxLength: 3 });
        // Not among them: `contains` beside tuples and `unevaluated…`, which the other validator gets wrong; see the vectors.
        const common = {
          type: fc.constantFrom<unknown>('object', 'array', 'string', 'integer', ['number', 'null'], 'boolean'),
          // The other validator takes no list that says a value twice.
          enum: fc.uniqueArray(value, { minLength: 1, maxLength: 3, comparator: isDeepStrictEqual }),
          const: value,
          multipleOf: fc.constantFrom(1, 0.5, 2),
          minimum: fc.constantFrom(0, 1),
          exclusiveMaximum: fc.constantFrom(1, 2),
          minLength: fc.nat(3),
          maxLength: fc.nat(3),
          pattern: fc.constantFrom('^a', 'b$', '^[ab]*$'),
          minItems: fc.nat(2),
          maxItems: fc.nat(3),
          uniqueItems: fc.boolean(),
          required: fc.uniqueArray(name, { maxLength: 2 }),
          properties: fc.dictionary(name, schema, { maxKeys: 2, noNullPrototype: true }),
          patternProperties: fc.dictionary(fc.constantFrom('^a', '[bc]'), schema, {
            maxKeys: 2,
            noNullPrototype: true,
          }),
          additionalProperties: schema,
          propertyNames: schema,
          minProperties: fc.nat(2),
          maxProperties: fc.nat(2),
          allOf: list,
          anyOf: list,
          oneOf: list,
          not: schema,
          if: schema,
          then: schema,
          else: schema,
        };
        const words =
          dialect === 'draft-07'
            ? {
                ...common,
                items: fc.oneof(schema, list),
                additionalItems: schema,
                dependencies: fc.dictionary(name, fc.oneof(schema, fc.uniqueArray(name)), {
                  maxKeys: 1,
                  noNullPrototype: true,
                }),
              }
            : {
                ...common,
                prefixItems: list,
                items: schema,
                dependentRequired: fc.dictionary(name, fc.uniqueArray(name), { maxKeys: 1, noNullPrototype: true }),
                dependentSchemas: fc.dictionary(name, schema, { maxKeys: 1, noNullPrototype: true }),
              };
        const keyword = fc.oneof(
          ...Object.entries(words).map(([word, of]) =>
            (of as fc.Arbitrary<unknown>).map((made) => [word, made] as const),
          ),
        );
        const some = fc.array(keyword, { minLength: 1, maxLength: 4 }).map((entries) => Object.fromEntries(entries));
        // What stands beside a reference is read in one dialect and not in the other; the other validator always reads it.
        const link = fc.record({ $ref: fc.constantFrom('#', '#/$defs/x') });
        return { schema: fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.boolean(), link, some) };
      }).schema;

    for (const dialect of ['2020-12', 'draft-07'] as const) {
      const document = fc
        .tuple(schemas(dialect), schemas(dialect))
        .map(([schema, x]) => ({ allOf: [schema], $defs: { x } }));
      const oracle =
        dialect === 'draft-07'
          ? new Ajv({ strict: false, logger: false })
          : new Ajv2020({ strict: false, logger: false });
      fc.assert(
        fc.property(document, fc.array(value, { minLength: 1, maxLength: 8 }), (schema, values) => {
          // A reference that leads back to itself without going down has no meaning; the other validator overflows.
          fc.pre(!hasLoop(schema));
          const theirs = oracle.compile(schema);
          const ours = new SchemaDocument(schema, dialect).validator();
          for (const one of values) expect(ours(one) === undefined).toBe(theirs(one));
          oracle.removeSchema();
        }),
        { numRuns: 100 },
      );
    }
  });

  it.each<[object, string[], string[]]>([
    [
      { format: 'int64' },
      ['9223372036854775807', '-9223372036854775808', '1.0'],
      ['9223372036854775808', '1.5', '1e19'],
    ],
    [{ format: 'int32' }, ['2147483647'], ['2147483648']],
    [{ maximum: 9007199254740992 }, ['9007199254740992'], ['9007199254740993', '9007199254740992.5', '1e999']],
    [{ exclusiveMinimum: -9007199254740992 }, ['-9007199254740991'], ['-9007199254740992', '-9007199254740993']],
    [{ const: 9007199254740992 }, ['9007199254740992', '9007199254740992.0'], ['9007199254740993']],
    [{ enum: [9007199254740992] }, ['9007199254740992'], ['9007199254740993']],
    [
      { uniqueItems: true },
      ['[1838400000000000001,1838400000000000002]'],
      ['[1838400000000000001,18384000000000000010e-1]', '[1,1.0]'],
    ],
    [{ type: 'number' }, ['1838400000000000001', '0.12345678901234567890'], ['1e999', '-1e999']],
    [{ type: 'integer' }, ['1838400000000000001'], ['9007199254740992.5', '1e999']],
    [{ type: 'object' }, ['{}'], ['1838400000000000001']],
    [
      { multipleOf: 3 },
      ['9007199254740993', '1838400000000000000'],
      ['9007199254740994', '1838400000000000001', '1e999'],
    ],
  ])('%j sees every digit of a number: %j, and not %j', (schema, good, bad) => {
    const accepts = (text: string): boolean => valid(schema, (readJson(Buffer.from(text)) as { value: unknown }).value);
    expect([good.filter((text) => !accepts(text)), bad.filter(accepts)]).toEqual([[], []]);
  });

  it('tells the place and the kind of each fault', () => {
    const schema = {
      type: 'object',
      required: ['id'],
      additionalProperties: false,
      properties: {
        id: {},
        lines: { items: { properties: { 'a/b': { type: 'integer' }, mail: { format: 'email' } } } },
      },
    };
    expect(
      new SchemaDocument(schema, '2020-12').validator()({ lines: [{ mail: 'x' }, { 'a/b': '1' }], typo: 1 }),
    ).toEqual([
      { pointer: '/id', code: 'required', detail: 'Is missing.' },
      { pointer: '/lines/0/mail', code: 'format', detail: 'Must be of the format email.' },
      { pointer: '/lines/1/a~1b', code: 'type', detail: 'Must be integer.' },
      { pointer: '/typo', code: 'additionalProperties', detail: 'Is not known here.' },
    ]);
  });

  it('tells twenty faults at most, and nothing longer than a line for a long name', () => {
    const validate = new SchemaDocument(
      { items: { type: 'string' }, additionalProperties: false },
      '2020-12',
    ).validator();
    expect(validate(Array.from({ length: 1000 }, () => 1))).toHaveLength(20);
    expect(JSON.stringify(validate({ ['x'.repeat(1_000_000)]: 1 })).length).toBeLessThan(200);
  });

  it('takes __proto__ and constructor for names like any other', () => {
    const schema = JSON.parse(
      '{"properties":{"__proto__":{"type":"string"}},"required":["__proto__"],"additionalProperties":false}',
    ) as unknown;
    expect(valid(schema, JSON.parse('{"__proto__":"a"}'))).toBe(true);
    expect(valid(schema, JSON.parse('{"__proto__":1}'))).toBe(false);
    expect(valid(schema, {})).toBe(false);
    expect(valid({ required: ['constructor'] }, {})).toBe(false);
    expect(valid({ properties: { a: {} }, additionalProperties: false }, { constructor: 1 })).toBe(false);
  });

  it('ends a reference that leads to itself', () => {
    const run = new SchemaDocument({ $ref: '#' }, '2020-12').validator()(1);
    expect(run).toEqual([{ pointer: '', code: 'complexity', detail: 'The document is too complex to be checked.' }]);
  });

  it('ends a document that costs more than an honest one', () => {
    const branch = { allOf: [{ properties: { n: { $ref: '#/$defs/n' } } }, false] };
    const schema = { $defs: { n: { anyOf: Array.from({ length: 12 }, () => branch) } }, $ref: '#/$defs/n' };
    let value: unknown = {};
    for (let depth = 0; depth < 60; depth++) value = { n: value };
    expect(processorMillis(2_000, () => expect(valid(schema, value)).toBe(false))).toBeLessThan(2_000);
  });

  it('matches patterns in time linear in the text, and gives up on what is too long for the pattern', () => {
    const validate = new SchemaDocument({ pattern: '^(a+)+$' }, '2020-12').validator();
    const match = () => {
      expect(validate(`${'a'.repeat(50_000)}!`)).toMatchObject([{ code: 'pattern' }]);
      expect(validate('a'.repeat(4_000_000))).toMatchObject([{ detail: 'Is too long to be matched.' }]);
    };
    expect(processorMillis(1_000, match)).toBeLessThan(1_000);
  });
});

describe('a schema that cannot be compiled', () => {
  it.each([
    [{ type: 'text' }, '/type must name types of JSON'],
    [{ properties: { a: { minimum: '1' } } }, '/properties/a/minimum must be a number'],
    [{ properties: { a: 1 } }, '/properties/a must be a schema: an object, true or false'],
    [{ maxLength: -1 }, '/maxLength must be a whole number, 0 or more'],
    [{ allOf: [] }, '/allOf must be a list of schemas'],
    [{ required: 'a' }, '/required must be a list of names'],
    [{ pattern: '(?=a)' }, '/pattern is no regular expression that can be matched in linear time'],
    [{ pattern: '(a)\\1' }, '/pattern is no regular expression'],
    [{ pattern: '((a{1000}){10})' }, '/pattern'],
    [
      { $ref: 'https://example.org/schema.json' },
      '/$ref names “https://example.org/schema.json”, which is not in this document; nothing is fetched',
    ],
    [{ $ref: '#/$defs/none' }, '/$ref names “#/$defs/none”, which is not in this document'],
    [{ $defs: { a: { $anchor: 'x' }, b: { $anchor: 'x' } } }, '/$defs/b has an address that another schema has'],
    [{ $schema: 'http://json-schema.org/draft-03/schema#' }, '/$schema must name draft 2020-12 or draft-07'],
  ])('says where and why: %j', (schema, message) => {
    const compile = () => new SchemaDocument(schema, dialectOf(schema)).validator();
    expect(compile).toThrow(SchemaError);
    expect(compile).toThrow(message);
  });

  it('says so of one that is nested without end', () => {
    let schema: unknown = {};
    for (let depth = 0; depth < 200; depth++) schema = { not: schema };
    expect(() => new SchemaDocument(schema, '2020-12')).toThrow('is beyond what a document may hold');
  });
});

describe('values as JSON Schema sees them', () => {
  it.each([
    [0.0075, 0.0001, true],
    [0.00751, 0.0001, false],
    [1e308, 0.5, true],
    [0.3, 0.1, true],
    [7, 2, false],
    [1e-300, 1e-301, true],
    [4.35, 0.01, true],
  ])('%d is a multiple of %d: %s', (value, step, multiple) => expect(multiplesOf(step)(value)).toBe(multiple));

  it('counts characters', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => expect(lengthOf(text)).toBe([...text].length)));
  });

  it.each([
    ['date', ['2024-02-29', '2026-12-31'], ['2023-02-29', '2026-13-01', '2026-1-1', '2026-04-31']],
    [
      'date-time',
      ['2026-01-01T00:00:00Z', '2026-01-01t23:59:60z', '1990-12-31T15:59:60-08:00', '2026-01-01T00:00:00.123+05:30'],
      ['2026-01-01', '2026-01-01T24:00:00Z', '2026-01-01T00:00:00', '2026-01-01T22:59:60Z', '2026-01-01 00:00:00Z'],
    ],
    ['email', ['a@b', 'a.b+c@example.org'], ['a', '@b', 'a@', 'a..b@c', '.a@b', 'a@-b', 'a b@c']],
    ['ipv4', ['192.0.2.1'], ['192.0.2.256', '192.0.2', '0300.0.2.1']],
    ['ipv6', ['::1', '2001:db8::'], ['::g', 'fe80::1%eth0', '1']],
    [
      'uuid',
      ['2eb8aa08-aa98-11ea-b4aa-73b441d16380'],
      ['2eb8aa08aa9811eab4aa73b441d16380', '2eb8aa08-aa98-11ea-b4aa-73b441d1638'],
    ],
    ['uri', ['https://a.example/b?c#d', 'urn:x:y'], ['/a', 'https://a b', 'a%zz:b', ':a']],
    ['hostname', ['a.example', 'xn--4gbwdl.example'], ['-a', 'a..b', 'a_b', `${'a'.repeat(64)}.b`]],
    ['duration', ['P1D', 'PT1H30M', 'P2W', 'P1Y2M'], ['P', 'PT', '1D', 'P1W2D', 'P1H']],
    ['json-pointer', ['', '/a~0b/~1'], ['a', '/~2']],
    ['byte', ['aGk=', ''], ['aGk', 'a*==']],
  ] as const)('format %s', (name, good, bad) => {
    const check = formats.get(name)!;
    expect(good.filter((text) => !check(text))).toEqual([]);
    expect((bad as readonly string[]).filter((text) => check(text))).toEqual([]);
  });
});

/** Whether a reference can come back to itself at the same value. */
function hasLoop(schema: object): boolean {
  return (
    JSON.stringify(schema).includes('"$ref":"#"') ||
    JSON.stringify((schema as { $defs: { x: unknown } }).$defs.x).includes('$ref')
  );
}
