import { compiled, Oracle, type Exchange } from './oracle';
import { OurEngine } from './our-engine';
import { Choices, chosenSeed } from './random';

const COUNT = 10_000;
const program = compiled('modsecurity-oracle/oracle');
const whenThere = program === undefined ? describe.skip : describe;

if (program === undefined) console.warn(`LIBMODSECURITY MISSING: ${COUNT} values for each operator NOT COMPARED`);

/** Operators with arguments at which engines may come apart; the detectors are compared for themselves. */
const asked: readonly string[] = [
  ...['beginsWith ab', 'contains ab', 'containsWord ab', 'endsWith ab', 'streq ab', 'strmatch ab', 'within ab,-ab GET'],
  ...[
    'beginsWith %{request_headers.host}',
    'contains %{tx.unset}',
    'endsWith .%{request_headers.host}',
    'streq %{tx.unset}',
  ],
  ...['eq 1', 'ge 1', 'gt 0', 'le 1', 'lt 0', 'eq %{tx.unset}', 'eq abc', 'eq -1', 'ge 2147483647'],
  ...['ipMatch 10.0.0.0/8,192.0.2.1', 'ipMatch 2001:db8::/32', 'ipMatch ::1,192.0.2.0/24'],
  ...['pm ab cd', 'pm a ab abc', 'pm \xc3\xa9 \x80'],
  ...[
    'rx ab',
    'rx ^ab$',
    'rx (?i)aB',
    'rx (a)(b)?',
    'rx (?:(a)|b)*',
    'rx \\bab\\b',
    'rx \\d+',
    'rx [^a-z]',
    'rx a.b',
    'rx ^$',
  ],
  ...[
    'rx \\s',
    'rx \\x{e9}',
    'rx [[:alpha:]]+',
    'rx (?s)a.*b',
    'rx a{2,3}?',
    'rx \\Aab\\z',
    'rx ab\\Z',
    'rx (?=a)a',
    'rx (?<!a)b',
  ],
  ...['rx \\w+\\W', 'rx [\\w-]+$', 'rx a++b', 'rx \\.', 'rx \\x41', 'rx (a|ab)(c|bcd)?', 'rx \\/'],
  ...[
    'validateByteRange 32-126',
    'validateByteRange 0-255',
    'validateByteRange 9,10,13,32-126',
    'validateByteRange 1-255',
  ],
  ...['validateUrlEncoding', 'validateUtf8Encoding', 'unconditionalMatch', 'noMatch'],
  ...['verifyCC \\d{13,16}', 'verifyCC \\d{4}-?\\d{4}-?\\d{4}-?\\d{4}'],
];

/** Differences on purpose, of docs/reference/seclang.md. */
const isKnown = (operator: string, text: string) => operator.startsWith('ipMatch') && /[%\0]/.test(text);

const pieces = [
  ...[
    '',
    'a',
    'b',
    'ab',
    'AB',
    'aB',
    'abc',
    'cd',
    'ab ',
    ' ab',
    'x',
    '_',
    '-',
    '.',
    'aa',
    'aaa',
    'bcd',
    'localhost',
    '.localhost',
    'GET',
  ],
  ...[
    '\n',
    '\r\n',
    '\0',
    '\t',
    '\v',
    '\xa0',
    '\xe9',
    '\xc3\xa9',
    '\xc3',
    '\xc0\xaf',
    '\xe0\x80\xaf',
    '\xed\xa0\x80',
    '\xf0\x9f\x98\x80',
  ],
  ...[
    '\xf4\x90\x80\x80',
    '\xf8\x88\x80\x80\x80',
    '\xff',
    '\x80',
    '\xef\xbf\xbf',
    '\x7f',
    '%',
    '%4',
    '%41',
    '%zz',
    '%%',
    '%u0041',
  ],
  ...[
    '0',
    '1',
    '-1',
    '+1',
    ' 1',
    '1a',
    '01',
    '0x1',
    '2147483647',
    '2147483648',
    '4294967297',
    '-0',
    '1.5',
    '1e3',
    '99999999999999999999',
  ],
  ...[
    '10.1.2.3',
    '192.0.2.1',
    '192.0.2.1/32',
    '2001:db8::1',
    '::1',
    '1.2.3',
    '10.0.0.256',
    '010.0.0.1',
    '4111111111111111',
  ],
  ...['4111-1111-1111-1111', '4111111111111112', '0000000000000000', '/', '\\', '"', "'"],
];

function value(choices: Choices): string {
  const piece = () => (choices.happens(0.9) ? choices.of(pieces) : String.fromCharCode(choices.below(256)));
  return choices.times(choices.below(4) + (choices.happens(0.1) ? 0 : 1), piece).join('');
}

function askedOf(text: string): Exchange {
  const escaped = [...text].map((byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
  return { method: 'GET', target: `/?v=${escaped}`, protocol: '1.1', fields: [['Host', 'localhost']], body: '' };
}

whenThere('the operators, beside libmodsecurity', () => {
  const seed = chosenSeed();

  it(`find the same in ${COUNT} values, and keep the same groups (ORACLE_SEED=${seed})`, () => {
    const choices = new Choices(seed);
    const group = (number: number) => `[%{TX.${number}}]`;
    const rules = asked.flatMap((operator, at) => [
      `SecRule ARGS:v "@${operator}" "id:${3 * at + 1},phase:1,t:none,pass,nolog,setvar:'tx.of${at}=1'"`,
      `SecRule ARGS:v "!@${operator}" "id:${3 * at + 2},phase:1,t:none,pass,nolog,setvar:'tx.not${at}=1'"`,
      ...(/^rx/.test(operator)
        ? [
            `SecRule ARGS:v "@${operator}" "id:${3 * at + 3},phase:1,t:none,pass,nolog,capture,setvar:'tx.groups${at}=${group(0)}${group(1)}${group(2)}'"`,
          ]
        : []),
    ]);
    const variables = asked.flatMap((_, at) => [`of${at}`, `not${at}`, `groups${at}`]);
    const text = `\nSecRuleEngine On\nSecArgumentsLimit 1000\n${rules.join('\n')}\n`;
    const oracle = new Oracle(program!, ['none', ''], variables);
    const ours = new OurEngine({ files: [{ name: 'rules', text }], read: () => undefined }, variables);
    const values = choices.times(COUNT, () => value(choices));
    const answers = oracle.ask([text], values.map(askedOf));
    oracle.close();
    const differing = values.flatMap((text, at) => {
      const own = ours.ask(askedOf(text)).tx;
      return variables
        .map((name) => ({
          name,
          operator: asked[Number(/\d+$/.exec(name)![0])]!,
          text,
          ours: own[name],
          theirs: answers[at]!.tx[name],
        }))
        .filter((made) => made.ours !== made.theirs && !isKnown(made.operator, text));
    });
    differing.sort((a, b) => a.text.length - b.text.length);
    expect(differing.slice(0, 10)).toEqual([]);
  }, 300_000);
});
