import { transformations } from '../../../libs/waf/src/transformations/registry';
import { compiled, Oracle, type Exchange } from './oracle';
import { OurEngine } from './our-engine';
import { Choices, chosenSeed } from './random';
import { unicodeMapText } from './rule-sets';

const COUNT = 10_000;
const program = compiled('modsecurity-oracle/oracle');
const whenThere = program === undefined ? describe.skip : describe;

if (program === undefined)
  console.warn(`LIBMODSECURITY MISSING: ${COUNT} strings for each transformation NOT COMPARED`);

/** Where the vectors of the SecRules language contradict libmodsecurity; they decide. */
const contradicted: Readonly<Record<string, string>> = {
  hexDecode: 'a value with a byte that is no hexadecimal digit, or with half a pair, decodes to nothing',
  sqlHexDecode: 'what is no hexadecimal literal stays',
  escapeSeqDecode: 'an invalid \\x keeps its backslash',
  cssDecode: 'what stands behind a NUL byte stays',
};

const pieces = [
  ...['%', '%4', '%41', '%u', '%u0041', '%uff01', '%u2018', '%U0041', '\\', '\\x41', '\\x4', '\\u0041', '\\uff41'],
  ...['\\101', '\\8', '\\0', '\\n', '\\a', '\\"', '\\41', '\\000041 ', '\\41\n', '&', '&lt;', '&lt', '&amp;', '&#65;'],
  ...[
    '&#x41;',
    '&#x',
    '&#',
    '&nbsp;',
    '&quot',
    '&gt;',
    '&#0;',
    '&#300;',
    '&#x1f600',
    ' ',
    '\t',
    '\n',
    '\r',
    '\v',
    '\f',
  ],
  ...[
    '\xa0',
    '\0',
    '/*',
    '*/',
    '--',
    '#',
    '<!--',
    '-->',
    '/',
    '//',
    './',
    '../',
    '/..',
    '/.',
    '..',
    '\\..\\',
    'a',
    'Z',
  ],
  ...['0x41', '0x4', '41', '=', '==', 'QUJD', 'QUI=', 'QQ==', '+', '\xc3\xa9', '\xe2\x80\x98', '\xf0\x9f\x98\x80'],
  ...['\xc0\xaf', '\xff', '\x80', '\xed\xa0\x80', '\xc3', '"', "'", '^', ',', ';', '(', ' /c', '\x7f', '\xef\xbc\x87'],
];

function value(choices: Choices): string {
  const piece = () => (choices.happens(0.85) ? choices.of(pieces) : String.fromCharCode(choices.below(256)));
  return choices.times(choices.below(9), piece).join('');
}

function asked(text: string): Exchange {
  const escaped = [...text].map((byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
  return { method: 'GET', target: `/?v=${escaped}`, protocol: '1.1', fields: [['Host', 'localhost']], body: '' };
}

whenThere('the transformations, beside libmodsecurity', () => {
  const names = transformations.map(({ name }) => name).filter((name) => name !== 'none' && !(name in contradicted));
  const seed = chosenSeed();

  it(`make the same of ${COUNT} strings (ORACLE_SEED=${seed})`, () => {
    const choices = new Choices(seed);
    const rules = names.map(
      (name, at) =>
        `SecRule ARGS:v "@unconditionalMatch" "id:${at + 1},phase:1,t:none,t:${name},pass,nolog,setvar:'tx.of${at}=%{MATCHED_VAR}'"`,
    );
    const variables = names.map((_, at) => `of${at}`);
    const text = `\nSecRuleEngine On\nSecArgumentsLimit 1000\n${rules.join('\n')}\n`;
    const oracle = new Oracle(program!, ['unicode.map', unicodeMapText()], variables);
    const ours = new OurEngine({ files: [{ name: 'rules', text }], read: () => undefined }, variables);
    const values = choices.times(COUNT, () => value(choices));
    const answers = oracle.ask([`\nSecUnicodeMapFile ${oracle.helper} 20127\n`, text], values.map(asked));
    oracle.close();
    const differing = values.flatMap((text, at) => {
      const own = ours.ask(asked(text)).tx;
      return names
        .map((name, of) => ({ name, text, ours: own[`of${of}`], theirs: answers[at]!.tx[`of${of}`] }))
        .filter((made) => made.ours !== made.theirs);
    });
    differing.sort((a, b) => a.text.length - b.text.length);
    expect(differing.slice(0, 10)).toEqual([]);
  }, 300_000);
});
