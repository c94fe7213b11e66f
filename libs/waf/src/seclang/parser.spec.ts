import fc from 'fast-check';
import { directivesOf } from './lexer';
import { parseMacro } from './macro';
import { parseActions, parseOperator, parseTargets, SyntaxProblem } from './parser';
import { RuleError } from './rule-source';

const read = (text: string) =>
  [...directivesOf({ name: 'a.conf', text })].map(({ place, name, arguments: given }) => [place.line, name, ...given]);

describe('directives', () => {
  it('stand one a line, with comments and empty lines between', () =>
    expect(read('# c\n\nA x\n  # d\n\tB "y z"\r\nC')).toEqual([
      [3, 'A', 'x'],
      [5, 'B', 'y z'],
      [6, 'C'],
    ]));

  it('go on after a backslash, and count as one line, the first', () =>
    expect(read('A \\\n  "x \\\n y" \\\r\n  z\nB')).toEqual([
      [1, 'A', 'x  y', 'z'],
      [5, 'B'],
    ]));

  it('take the backslash off escaped quotes and off nothing else', () =>
    expect(read(String.raw`A "a\"b\\d\x5c'" 'c\'d"'`)).toEqual([[1, 'A', String.raw`a"b\\d\x5c'`, `c'd"`]]));

  it('read back every text that was quoted', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", ',', '#', '@', '|', '{') }), (text) => {
        expect(read(`A "${text.replaceAll('"', '\\"')}" end`)).toEqual([[1, 'A', text, 'end']]);
      }),
    ));

  it('are read or refused with a place, whatever they hold', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('S', ' ', '"', "'", '\\', '\n', '#', 'x') }), (text) => {
        try {
          for (const { place } of directivesOf({ name: 'a', text })) expect(place.line).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(RuleError);
        }
      }),
    ));
});

describe('variables of a rule', () => {
  const short = (text: string) =>
    parseTargets(text).map(({ variable, selector, isPattern, counted, excluded }) =>
      [
        excluded ? '!' : '',
        counted ? '&' : '',
        variable,
        selector === undefined ? '' : isPattern ? `~${selector}` : `:${selector}`,
      ].join(''),
    );

  it.each<[string, string[]]>([
    ['ARGS', ['ARGS']],
    ['args|&Request_Headers:Host', ['ARGS', '&REQUEST_HEADERS:Host']],
    ['ARGS|!ARGS:a.b-c', ['ARGS', '!ARGS:a.b-c']],
    ['TX:/^a_(b|c)$/|ARGS', ['TX~^a_(b|c)$', 'ARGS']],
    ['REQUEST_COOKIES:/\\x22?\\x24Version/', ['REQUEST_COOKIES~\\x22?\\x24Version']],
    ['!ARGS_NAMES:/^a\\/b$/|XML:/*|XML://@*', ['!ARGS_NAMES~^a\\/b$', 'XML:/*', 'XML://@*']],
    [`ARGS:'/a|b/'|ARGS:'c|d'`, ['ARGS~a|b', 'ARGS:c|d']],
    ['!ARGS:a,!ARGS:b', ['!ARGS:a', '!ARGS:b']],
  ])('%s', (text, expected) => expect(short(text)).toEqual(expected));

  it.each(['', '|', 'ARGS:', 'ARGS:/a', `ARGS:'a`, '1ARGS', 'ARGS x y$'])('refuses %j', (text) =>
    expect(() => parseTargets(text)).toThrow(SyntaxProblem),
  );
});

describe('operators of a rule', () => {
  it.each<[string, boolean, string, string]>([
    ['@rx ^a', false, 'rx', '^a'],
    ['!@within a b ', true, 'within', 'a b '],
    ['! @eq 0', true, 'eq', '0'],
    ['^a', false, 'rx', '^a'],
    ['!^a', true, 'rx', '^a'],
    ['@detectSQLi', false, 'detectSQLi', ''],
  ])('%s', (text, negated, name, argument) => expect(parseOperator(text)).toEqual({ negated, name, argument }));

  it('refuses what is none', () => expect(() => parseOperator('@')).toThrow(SyntaxProblem));
});

describe('actions of a rule', () => {
  it('are told by commas that no quote encloses', () =>
    expect(parseActions(`id:1, phase:2,\tmsg:'It\\'s a, b',setvar:tx.a=%{tx.b},t:none,nolog,skipAfter:END-X`)).toEqual([
      { name: 'id', value: '1' },
      { name: 'phase', value: '2' },
      { name: 'msg', value: "It's a, b" },
      { name: 'setvar', value: 'tx.a=%{tx.b}' },
      { name: 't', value: 'none' },
      { name: 'nolog', value: '' },
      { name: 'skipafter', value: 'END-X' },
    ]));

  it('may quote the end of a value alone', () =>
    expect(parseActions(`ctl:ruleRemoveTargetById=1;ARGS:'a,b',pass`)).toEqual([
      { name: 'ctl', value: `ruleRemoveTargetById=1;ARGS:'a,b'` },
      { name: 'pass', value: '' },
    ]));

  it('read back every text that was quoted', () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", ',', ':', '%') }), (text) => {
        expect(parseActions(`msg:'${text.replaceAll("'", "\\'")}',pass`)).toEqual([
          { name: 'msg', value: text },
          { name: 'pass', value: '' },
        ]);
      }),
    ));
});

describe('macros', () => {
  const knows = (name: string) => name === 'TX' || name === 'MATCHED_VAR' || name === 'REQUEST_HEADERS';

  it('cut a text at what is filled in', () =>
    expect(parseMacro('a%{tx.B_c}%{matched_var}: %{Request_Headers.User-Agent}', knows).parts).toEqual([
      'a',
      { variable: 'TX', member: 'b_c' },
      { variable: 'MATCHED_VAR', member: undefined },
      ': ',
      { variable: 'REQUEST_HEADERS', member: 'user-agent' },
    ]));

  it('leave a text without them as it is', () =>
    expect(parseMacro('100% {a} %{', knows)).toEqual({ constant: '100% {a} %{', parts: ['100% {a} %{'] }));
});
