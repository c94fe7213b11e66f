import { setBit } from './bit-set';
import fc from 'fast-check';
import { bytes } from './arbitrary-bytes.suite';
import type { Bytes } from './bytes';
import type { Link } from './rule-set';
import { rulesOf } from './rules-under-test.suite';
import { variableNumber } from './variables/registry';

/** Chains that make much of a value and of which some have nothing to look for, each with patterns of different bytes. */
const chains = [
  't:none',
  't:urlDecodeUni',
  't:urlDecodeUni,t:lowercase',
  't:removeWhitespace',
  't:removeWhitespace,t:base64Decode',
  't:base64Decode',
  't:base64Decode,t:urlDecodeUni',
  't:cmdLine,t:normalizePathWin',
  't:removeComments,t:compressWhitespace',
  't:replaceComments,t:trim,t:lowercase',
  't:utf8toUnicode,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode',
  't:hexEncode',
  't:length',
  't:sha1,t:hexEncode',
  't:removeNulls,t:htmlEntityDecode',
];
const operators = [
  '@rx a(?:b|c)',
  '@rx ^[0-9]+$',
  "@rx '\\s*or",
  '@rx <[a-z]+>',
  '@rx \\.\\./',
  '@rx ^$',
  '@rx \\(\\)|eval\\(',
  '@pm union select ;',
  '@contains %',
  '@detectSQLi',
  '@detectXSS',
  '@validateByteRange 32-126',
];
const rules = rulesOf(
  chains
    .flatMap((chain, of) =>
      operators.map((text, at) => `SecRule ARGS "${text}" "id:${1 + of * 100 + at},phase:2,pass,${chain}"`),
    )
    .join('\n'),
);
const links = rules.rules.map(({ head }) => head);
/** A link of each chain. */
const chainsOfLinks = links.filter((_, at) => at % operators.length === 0);
const scans = rules
  .adjusted()
  .phase(2)
  .scans.find(({ variable }) => variable === variableNumber('ARGS'))!;

const piece = fc.constantFrom(
  ...['ab', 'AC', '12', "'", ' or ', '1', '<b>', '../', '..\\', '%27', '%3cb%3e', '+', '&lt;', '&#39;', '\\x27', '()'],
  ...['eval(', 'union', 'select', ';', '/*', '*/', '--', '#', '\0', '\xc2\xa0', '\xe2\x82\xac', '\t', '\n', '^', '"'],
  ...['YWI=', 'ZXZhbCg=', 'YWIx', 'PGI+', '%u0027', '%', 'JyBvciAn', 'zzz', '9'],
);
const values = fc.oneof(
  fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
  bytes(20),
);

/** The links that find something when their transformations are made one by one and their operators look at the outcome. */
function finding(value: Bytes): Link[] {
  const forms = chainsOfLinks.map((chain) => formOf(chain, value));
  return links.filter(({ operator }, at) => operator!.pattern!.test(forms[Math.floor(at / operators.length)]!));
}

function formOf({ transformations }: Link, value: Bytes): Bytes {
  return transformations.reduce((before, transformation) => transformation.apply(before), value);
}

function rowOf(all: readonly Link[]): Uint32Array {
  const row = new Uint32Array(rules.patterns.words);
  for (const link of all) setBit(row, rules.bitOf(link)!);
  return row;
}

describe('the scanner of values', () => {
  it('finds in each form of a value what is found there link by link', () => {
    fc.assert(
      fc.property(values, (value) => {
        const found = rowOf([]);
        const scan = rules.scanner.scan(value, scans.others!, found);
        const expected = finding(value);
        const hits = links.filter((link) => scan?.has(rules.nodeOf(link), rules.bitOf(link)!));
        expect(hits.map(({ number }) => number)).toEqual(expected.map(({ number }) => number));
        expect(found).toEqual(rowOf(expected));
      }),
      { numRuns: 1500 },
    );
  });

  it('finds the same in steps, whatever others look for in between', () => {
    fc.assert(
      fc.property(values, values, fc.nat(3000), (value, other, length) => {
        const long = value + ' '.repeat(length);
        const found = rowOf([]);
        const steps = rules.scanner.scanInSteps(long, scans.others!, found);
        for (let step = steps.next(); !step.done; step = steps.next()) {
          rules.scanner.scan(other, scans.others!, rowOf([]));
          for (const pause of rules.scanner.scanInSteps(other, scans.others!, rowOf([]))) expect(pause).toBeUndefined();
        }
        expect(found).toEqual(rowOf(finding(long)));
      }),
      { numRuns: 20 },
    );
  });

  it('says of the forms it did not make what it says of those it made', () => {
    fc.assert(
      fc.property(values, (value) => {
        const scan = rules.scanner.scan(value, scans.others!, rowOf([]));
        if (!scan) return;
        expect(chainsOfLinks.map((link) => scan.form(rules.nodeOf(link)))).toEqual(
          chainsOfLinks.map((link) => formOf(link, value)),
        );
      }),
    );
  });
});
