import fc from 'fast-check';
import { bytes } from '../arbitrary-bytes.suite';
import type { Bytes } from '../bytes';
import { compileRegex } from './compile-regex';

const compile = (source: Bytes, multiline = true) => compileRegex(source, { multiline });
const matches = (source: Bytes, value: Bytes, multiline = true) => compile(source, multiline).test(value);
const groups = (source: Bytes, value: Bytes) => compile(source).exec(value);

describe('an expression over bytes', () => {
  it('takes `\\x{bc}` for one byte, not for a repeated x', () => {
    expect(matches('^\\x{bc}$', '\xbc')).toBe(true);
    expect(matches('\\x{bc}', 'x'.repeat(0xbc))).toBe(false);
  });

  it('takes `\\z` for the absolute end, `\\Z` for that or the line feed before it, not for letters', () => {
    expect(matches('a\\z', 'ba')).toBe(true);
    expect(matches('a\\z', 'ba\n')).toBe(false);
    expect(matches('a\\z', 'az')).toBe(false);
    expect(matches('a\\Z', 'ba\n')).toBe(true);
    expect(matches('a\\Z', 'ba\n\n')).toBe(false);
    expect(matches('\\Aa', 'b\na')).toBe(false);
  });

  it('knows six bytes of white space, NBSP not among them', () => {
    for (const byte of '\t\n\v\f\r ') expect(matches('^\\s$', byte, false)).toBe(true);
    for (const byte of ['\x85', '\xa0', '\x1c', '\0']) expect(matches('\\s', byte)).toBe(false);
  });

  it('lets the point be any byte, line ends too', () => {
    for (const byte of ['\n', '\r', '\0', '\xff']) expect(matches('^a.b$', `a${byte}b`)).toBe(true);
    expect(matches('(?-s)a.b', 'a\nb')).toBe(false);
    expect(matches('(?-s)a.b', 'a\rb')).toBe(true);
  });

  it('lets `^` and `$` hold at line feeds only, and `^` not after one that ends the text', () => {
    expect(matches('^b', 'a\nb')).toBe(true);
    expect(matches('^b', 'a\rb')).toBe(false);
    expect(matches('a$', 'a\nb')).toBe(true);
    expect(matches('a$', 'a\rb')).toBe(false);
    expect(matches('\\n^', 'a\n')).toBe(false);
    expect(matches('\\n^', '\nb')).toBe(true);
    expect(matches('^$', '')).toBe(true);
  });

  it('lets `^` and `$` be start and end where lines are off, a last line feed apart', () => {
    expect(matches('^b', 'a\nb', false)).toBe(false);
    expect(matches('a$', 'a\nb', false)).toBe(false);
    expect(matches('a$', 'a\n', false)).toBe(true);
    expect(matches('a$\\n', 'a\n', false)).toBe(true);
    expect(matches('a$', 'a\n\n', false)).toBe(false);
    expect(matches('(?m)^b', 'a\nb', false)).toBe(true);
  });

  it('folds ASCII letters only, inside classes before it negates them', () => {
    expect(matches('(?i)straSSe', 'STRAsse')).toBe(true);
    expect(matches('(?i)[^k]', 'K')).toBe(false);
    expect(matches('(?i)\xe9', '\xc9')).toBe(false);
    expect(matches('(?i)[\xe0-\xef]', '\xc9')).toBe(false);
    expect(matches('(?i)k', '\xe2\x84\xaa')).toBe(false);
  });

  it('ends the scope of flags with the group around them', () => {
    expect(matches('(?i:a)b', 'Ab')).toBe(true);
    expect(matches('(?i:a)b', 'aB')).toBe(false);
    expect(matches('a(?i)b|c', 'aB')).toBe(true);
    expect(matches('a(?i)b|c', 'C')).toBe(true);
    expect(matches('(a(?i)b)c', 'aBC')).toBe(false);
    expect(matches('(?i)a(?-i)b', 'AB')).toBe(false);
    expect(matches('(?is:A.)', 'a\n')).toBe(true);
  });

  it('reads ranges that start at an escaped hyphen, and hyphens that are members', () => {
    expect(matches('^[\\--9]+$', '-./059')).toBe(true);
    expect(matches('[\\--9]', ',')).toBe(false);
    expect(matches('^[\\w-]+$', 'a-b')).toBe(true);
    expect(matches('^[a-\\d]+$', 'a-5')).toBe(true);
    expect(matches('[a-\\d]', 'b')).toBe(false);
    expect(matches('^[-a]+$', '-a')).toBe(true);
  });

  it('takes a bracket right after the opening for a member', () => {
    expect(matches('^[]a]+$', ']a')).toBe(true);
    expect(matches('^[^]a]$', 'b')).toBe(true);
    expect(matches('[^]a]', ']')).toBe(false);
    expect(() => compile('[^]')).toThrow('a class has no end');
  });

  it('reads POSIX classes, and backspace in a class', () => {
    expect(matches('^[[:alpha:][:digit:]_]+$', 'aZ9_')).toBe(true);
    expect(matches('[[:^space:]]', ' \n')).toBe(false);
    expect(matches('[\\b]', '\x08')).toBe(true);
    expect(() => compile('[[:letters:]]')).toThrow('there is no class');
  });

  it('takes an escaped byte before a quantifier for itself, and a possessive quantifier for one', () => {
    expect(matches('^\\?+$', '???')).toBe(true);
    expect(matches('^\\*+$', '***')).toBe(true);
    expect(matches('a\\++b', 'a++b')).toBe(true);
    expect(matches('a++b', 'aab')).toBe(true);
    expect(matches('a++ab', 'aaab')).toBe(false);
    expect(matches('(?>a|ab)c', 'abc')).toBe(false);
  });

  it('takes a brace that opens no count for itself', () => {
    expect(matches('^a{,3}$', 'a{,3}')).toBe(true);
    expect(matches('^{{.*}}$', '{{7*7}}')).toBe(true);
    expect(matches('^a{2}{3}$', 'a'.repeat(6))).toBe(true);
    expect(matches('^a{2,3}$', 'aaaa')).toBe(false);
  });

  it('tells word boundaries by ASCII words', () => {
    expect(matches('\\bor\\b', 'x or y')).toBe(true);
    expect(matches('\\bor\\b', 'xor')).toBe(false);
    expect(matches('\\bor\\b', '\xe9or\xe9')).toBe(true);
    expect(matches('\\Bor', 'xor')).toBe(true);
    expect(matches('\\b', '--')).toBe(false);
  });

  it('reads quoting, comments, octal, control and named escapes', () => {
    expect(matches('^\\Qa.b\\E.$', 'a.bc')).toBe(true);
    expect(matches('^\\Qa.b', 'axb')).toBe(false);
    expect(matches('^a(?#not this)b$', 'ab')).toBe(true);
    expect(matches('(?x) a b # c', 'ab')).toBe(true);
    expect(matches('^\\0\\012\\o{101}\\cA\\e\\a$', '\0\nA\x01\x1b\x07')).toBe(true);
    expect(matches('^\\N\\h\\H\\v\\V$', 'a b\nc')).toBe(true);
    expect(matches('^\\R$', '\r\n', false)).toBe(true);
  });
});

describe('the groups of a match', () => {
  it('are those of the first way that matches', () => {
    expect(groups('(a|ab)(c|bcd)(d*)', 'abcd')).toEqual(['abcd', 'a', 'bcd', '']);
    expect(groups('(?:(a)|b)+', 'ab')).toEqual(['ab', 'a']);
    expect(groups('(a*)*', 'b')).toEqual(['', '']);
    expect(groups('x(?<name>b+?)', 'xbb')).toEqual(['xb', 'b']);
    expect(groups('(a)|(b)', 'b')).toEqual(['b', undefined, 'b']);
  });

  it('are ten at most', () => {
    expect(groups('(a)'.repeat(12), 'a'.repeat(12))).toHaveLength(10);
  });

  it('are tried anew around parts that keep what they took, however many ways are left', () => {
    const many = 'ab'.repeat(100);
    expect(groups('^(?:(a)|(b)|x)*?(?>(c)|cd)(?:a|b)*(d)$', `${many}c${many}d`)).toEqual([
      `${many}c${many}d`,
      'a',
      'b',
      'c',
      'd',
    ]);
    expect(groups('^(\\w*)(?>(b)\\d*)2$', `${many}12`)).toBeUndefined();
    expect(groups('^(?:(\\w*)(?>(b)\\d*)3|(\\w*))$', `${many}12`)).toEqual([
      `${many}12`,
      undefined,
      undefined,
      `${many}12`,
    ]);
    expect(groups('^(\\w*)(?>a|(b))\\1$', `${many}b${many}`)).toEqual([`${many}b${many}`, many, 'b']);
  });

  it('may be referred to, by number and by name', () => {
    expect(groups('(\\w+) \\1', 'to be be')).toEqual(['be be', 'be']);
    expect(matches('(?i)(a)-\\1', 'A-a')).toBe(true);
    expect(matches('(?<q>[\'"]).*?\\k<q>', `a"b'c"`)).toBe(true);
    expect(matches('(a)|b\\1', 'b')).toBe(false);
    expect(() => compile('(a)\\2')).toThrow('there is no group 2');
  });
});

describe('a lookaround', () => {
  it('is decided at each place', () => {
    expect(matches('<\\?(?!xml)', '<?xml ?>')).toBe(false);
    expect(matches('<\\?(?!xml)', '<?xml ?><?php')).toBe(true);
    expect(groups('(?<=\\$)\\d+', 'a1 $23')).toEqual(['23']);
    expect(groups('(?<!\\$|\\d)\\d+', '$12 34')).toEqual(['34']);
    expect(groups('a(?=(b+))', 'abb')).toEqual(['a', 'bb']);
    expect(groups('\\w+(?=\\b;)', 'foo bar;')).toEqual(['bar']);
    expect(matches('(?=.*\\d)(?=.*[a-z])^\\w+$', 'abc1')).toBe(true);
    expect(matches('(?=.*\\d)(?=.*[a-z])^\\w+$', 'abc')).toBe(false);
  });
});

describe('an expression that is refused', () => {
  it.each([
    ['a(b', 'a group has no end', 1],
    ['a)b', 'closes what none opened', 1],
    ['*a', 'nothing to be repeated', 0],
    ['ab[c', 'a class has no end', 2],
    ['a{3,2}', 'out of order', 1],
    ['[z-a]', 'out of order', 2],
    ['\\x{100}', 'none above', 0],
    ['a\\', 'a backslash ends the pattern', 1],
    ['(?R)', 'not supported', 0],
    ['\\p{L}', '\\p is not supported', 0],
    ['a\\K', '\\K is not supported', 1],
    ['(?(1)a)', 'not supported', 0],
    ['((a{1000}){1000}){1000}', 'more than 200000 nodes', 0],
    ['('.repeat(300) + ')'.repeat(300), 'too deeply', 250],
  ])('%s says what is wrong and where', (source, problem, at) => {
    const refusal = thrownBy(() => compile(source));
    expect(refusal).toMatchObject({ message: expect.stringContaining(problem), at });
  });

  it('is never answered by an error of another kind, whatever the bytes', () => {
    fc.assert(
      fc.property(bytes(40), (source) => {
        const refusal = thrownBy(() => compile(source).test(source));
        return refusal === undefined || refusal.constructor.name === 'RegexError';
      }),
      { numRuns: 1000 },
    );
  }, 60_000);
});

describe('groups of a long text', () => {
  const sources = ['(a+)(b)?c', '(?:x(a{1,3}))+y', '\\b(ab|a)(bc)?$', '^(.*)z(.*)'];
  const unit = fc.constantFrom('a', 'ab', 'abc', 'xa', 'y', 'z', '\n', ' ', 'a'.repeat(3000), 'xaa'.repeat(1000));
  const text = fc.array(unit, { maxLength: 12 }).map((units) => units.join(''));

  it('are the same in steps, while others look for the same in between', () => {
    fc.assert(
      fc.property(text, text, fc.constantFrom(...sources.map((source) => compile(source))), (one, other, pattern) => {
        const results = new Map<Bytes, unknown>();
        const runs = [one, other].map((value) => ({ value, steps: pattern.execInSteps!(value) }));
        for (let open = runs; open.length > 0;) {
          open = open.filter(({ value, steps }) => {
            const step = steps.next();
            if (step.done) results.set(value, step.value);
            return !step.done;
          });
        }
        expect(results.get(one)).toEqual(pattern.exec(one));
        expect(results.get(other)).toEqual(pattern.exec(other));
      }),
    );
  });
});

function thrownBy(run: () => void): Error | undefined {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  return undefined;
}
