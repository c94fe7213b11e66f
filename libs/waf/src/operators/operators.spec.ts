import fc from 'fast-check';
import { bytes } from '../arbitrary-bytes.suite';
import type { Bytes } from '../bytes';
import { namesOnPage, ownVectors, sharedVectors, skipSharedVectors } from '../seclang-vectors.suite';
import { OperatorError, type Operator, type OperatorArgument, type OperatorContext } from './operator';
import { refusedOperators } from './refused';
import { operatorNamed, operators } from './registry';

interface OwnVector {
  readonly says: string;
  readonly argument?: Bytes;
  /** What stands in the data file that the argument names. */
  readonly file?: Bytes;
  readonly input: Bytes;
  readonly matches: boolean;
  /** `TX:0` and on; null for a group that took no part, and none at all where the operator captures nothing. */
  readonly captures?: readonly (Bytes | null)[];
  /** What libmodsecurity 3.0.9 does instead, where we differ on purpose. */
  readonly modsecurity?: string;
}

/** Variables the arguments of vectors may name; every other is unset. */
const variables = new Map([
  ['%{tx.num}', '12'],
  ['%{tx.txt}', 'abc'],
]);

/** The only data file of the shared vectors, as far as they tell. */
const sharedWords = 'abc\ndef\nghi\nxxx yyy zzz\n';

function fillIn(text: Bytes): Bytes {
  return text.replace(/%\{[^}]*\}/g, (macro) => variables.get(macro) ?? '');
}

function argument(text: Bytes, file: Bytes | undefined): OperatorArgument {
  const macros = { constant: text.includes('%{') ? undefined : text, text };
  const readFile = (name: string) => {
    if (file === undefined) throw new OperatorError(`there is no ${name}`);
    return file;
  };
  return { text, macros, multiline: true, readFile };
}

const context: OperatorContext = { expand: (macros) => fillIn((macros as unknown as { text: Bytes }).text) };

function compile(name: string, text: Bytes = '', file?: Bytes): Operator {
  return operatorNamed(name)!.compile(argument(text, file));
}

const supported = operators.filter((operator) => !refusedOperators.includes(operator));

describe.each(supported.map(({ name }) => name))('@%s', (name) => {
  it.each(ownVectors<OwnVector>('operators', name))('$says', ({ argument: text, file, input, matches, captures }) => {
    const operator = compile(name, text, file);
    expect(operator.test(input, context)).toBe(matches);
    if (operator.pattern) expect(operator.pattern.test(input)).toBe(matches);
    const groups = operator.capture?.(input, context)?.map((group) => group ?? null);
    expect(groups && withoutTail(groups)).toEqual(captures);
  });
});

/** ModSecurity does not tell a group at the end that took no part from one the pattern does not have. */
function withoutTail(groups: (Bytes | null)[]): (Bytes | null)[] {
  while (groups.at(-1) === null) groups.pop();
  return groups;
}

describe('operators', () => {
  it('know what a value must hold: one that matches holds one text of each set', () => {
    const texts = fc.constantFrom('a', 'ab', 'Ab', '', 'b');
    const values = fc.oneof(
      bytes(8),
      fc.array(fc.constantFrom('a', 'b', 'A', 'B', '%', 'x')).map((parts) => parts.join('')),
    );
    const names = fc.constantFrom('beginsWith', 'endsWith', 'contains', 'containsWord', 'streq', 'strmatch', 'within');
    fc.assert(
      fc.property(names, texts, values, (name, text, value) => {
        const { pattern } = compile(name, text);
        const folded = value.toLowerCase();
        return (
          !pattern!.test(value) || pattern!.required.every((set) => set.some((literal) => folded.includes(literal)))
        );
      }),
    );
  });

  it('that need nothing but the value answer the same through their pattern, whatever the bytes', () => {
    const names = fc.constantFrom('validateByteRange', 'validateUrlEncoding', 'validateUtf8Encoding', 'ipMatch', 'pm');
    const texts = new Map([
      ['validateByteRange', '32-126'],
      ['ipMatch', '::/1'],
      ['pm', 'a b'],
    ]);
    fc.assert(
      fc.property(names, bytes(16), (name, value) => {
        const operator = compile(name, texts.get(name));
        return operator.test(value, context) === operator.pattern!.test(value);
      }),
    );
  });

  it('take UTF-8 for what the runtime takes for it, up to U+10FFFF', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const decodes = (value: Bytes) => {
      try {
        return decoder.decode(Buffer.from(value, 'latin1')) !== undefined;
      } catch {
        return false;
      }
    };
    const parts = fc.constantFrom('\xc2', '\xe2', '\xf0', '\x80', '\x9f', '\xbf', 'a', '\xed', '\xe0', '\xf3', '\xc0');
    const invalid = compile('validateUtf8Encoding');
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 6 }), (value) => {
        const text = value.join('');
        return invalid.test(text, context) === !decodes(text);
      }),
    );
  });
});

describe('an argument that makes no operator', () => {
  it.each([
    ['validateByteRange', '300', /no range of bytes/],
    ['validateByteRange', '20-10', /no range of bytes/],
    ['ipMatch', '192.0.2.0/33', /prefix/],
    ['ipMatch', 'localhost', /no network/],
    ['pm', '   ', /at least one word/],
    ['pmFromFile', 'absent.data', /there is no absent.data/],
    ['pmFromFile', 'https://example.org/words', /not from addresses/],
    ['rx', '(', /cannot be read/],
    ['verifyCC', '(', /cannot be read/],
    ['inspectFile', 'run.sh', /@inspectFile is not supported: rules start no programs/],
  ])('is refused with what is wrong: @%s %s', (name, text, problem) => {
    expect(() => compile(name, text)).toThrow(OperatorError);
    expect(() => compile(name, text)).toThrow(problem);
  });

  it('says of an operator that never matches that it does not', () => {
    expect(compile('rbl', 'list.example.org').notice).toMatch(/never matches/);
    expect(compile('geoLookup').notice).toMatch(/never matches/);
  });
});

describe('the registry of operators', () => {
  it('knows each name in any letter case, and nothing else', () => {
    expect(operatorNamed('DETECTSQLI')?.name).toBe('detectSQLi');
    expect(operatorNamed('validateutf8encoding')?.name).toBe('validateUtf8Encoding');
    expect(operatorNamed('exec')).toBeUndefined();
  });
});

describe('the reference page', () => {
  it('names every operator', () => {
    const names = namesOnPage('Operators');
    expect(operators.map(({ name }) => name).filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe('the shared vectors of operators', () => {
  const shared = sharedVectors('operators');
  if (!shared) return skipSharedVectors('operators');

  it.each([...shared])('@%s', (name, cases) => {
    for (const { param, input, ret, re_groups: groups } of cases) {
      const operator = compile(name, param, sharedWords);
      expect([param, input, operator.test(input, context)]).toEqual([param, input, ret === 1]);
      if (groups) expect([param, operator.capture?.(input, context)]).toEqual([param, groups]);
    }
  });
});
