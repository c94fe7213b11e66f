import { differences, explain, factsOf, writtenDifferences } from './differences';
import { compiled, Oracle, type Exchange } from './oracle';
import { OurEngine } from './our-engine';

/** What a rule saw, as it writes it to TX:seen, in our engine and in libmodsecurity 3.0.9. */
interface Story {
  readonly difference: string;
  readonly rules: string;
  readonly exchange: Partial<Exchange>;
  readonly ours: string;
  readonly theirs: string;
}

const see = (targets: string, more = 't:none') =>
  `SecRule ${targets} "@unconditionalMatch" "id:1,phase:2,pass,nolog,${more},setvar:'tx.seen=%{tx.seen}[%{MATCHED_VAR}]'"`;
const typed = (type: string, body: string): Partial<Exchange> => ({
  method: 'POST',
  fields: [
    ['Host', 'localhost'],
    ['Content-Type', type],
  ],
  body,
});
const field = (value: string) => `--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n${value}\r\n--b--\r\n`;
const multipart = 'multipart/form-data; boundary=b';
const processor = (name: string) => `SecAction "id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=${name}"`;

const stories: readonly Story[] = [
  {
    difference: 'xml-in-request-body',
    rules: `${processor('XML')}\n${see('REQUEST_BODY')}`,
    exchange: typed('text/xml', '<a>b</a>'),
    ours: '[]',
    theirs: '[<a>b</a>]',
  },
  {
    difference: 'part-without-body',
    rules: see('ARGS'),
    exchange: typed(multipart, `--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n${field('d')}`),
    ours: '[][d]',
    theirs: '[--bContent-Disposition: form-data; name="a"d]',
  },
  {
    difference: 'encoded-question-mark-in-path',
    rules: see('REQUEST_FILENAME'),
    exchange: { target: '/a%3fb/c?d=e' },
    ours: '[/a?b/c]',
    theirs: '[/a]',
  },
  {
    difference: 'matched-vars-of-the-rule-before',
    rules: `SecRule ARGS "@streq x" "id:2,phase:2,pass,nolog"\nSecRule ARGS "@streq x" "id:3,phase:2,pass,nolog,chain"\nSecRule MATCHED_VARS "@streq x" "setvar:'tx.seen=%{tx.seen}+'"`,
    exchange: { target: '/?a=x' },
    ours: '+',
    theirs: '++',
  },
  {
    difference: 'body-given-up',
    rules: see('ARGS'),
    exchange: typed(multipart, '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'),
    ours: '[x\r\n]',
    theirs: '',
  },
  {
    difference: 'line-ends-in-a-field',
    rules: see('ARGS'),
    exchange: typed(multipart, field('one\r\ntwo\n')),
    ours: '[one\r\ntwo\n]',
    theirs: '[onetwo]',
  },
  {
    difference: 'part-headers-with-line-ends',
    rules: see('MULTIPART_PART_HEADERS'),
    exchange: typed(multipart, field('x')),
    ours: '[Content-Disposition: form-data; name="a"]',
    theirs: '[Content-Disposition: form-data; name="a"\r\n]',
  },
  {
    difference: 'names-of-json-arrays',
    rules: `${processor('JSON')}\n${see('ARGS_NAMES')}`,
    exchange: typed('application/json', '{"a":["x"]}'),
    ours: '[json.a.0]',
    theirs: '[json.a.array_0]',
  },
  {
    difference: 'css-decode-ends-at-nul',
    rules: see('ARGS', 't:none,t:cssDecode'),
    exchange: { target: '/?a=x%00y' },
    ours: '[x\0y]',
    theirs: '[x]',
  },
  {
    difference: 'type-that-begins-as-forms-do',
    rules: see('ARGS'),
    exchange: typed('application/x-www-form-urlencoded2', 'a=b'),
    ours: '',
    theirs: '[b]',
  },
  {
    difference: 'escaped-quotes-of-texts',
    rules: String.raw`SecRule ARGS "@contains a=\"b\"" "id:1,phase:2,pass,nolog,t:none,setvar:tx.seen=%{MATCHED_VAR}"`,
    exchange: { target: '/?v=a=%22b%22' },
    ours: 'a="b"',
    theirs: '',
  },
  {
    difference: 'words-at-the-end-of-others',
    rules: 'SecRule ARGS "@pm Error xxError: yError" "id:1,phase:2,pass,nolog,t:none,setvar:tx.seen=%{MATCHED_VAR}"',
    exchange: { target: '/?v=xxError' },
    ours: 'xxError',
    theirs: '',
  },
  {
    difference: 'words-behind-what-began-as-others',
    rules:
      'SecRule ARGS "@pm app/x proc/buddyinfo proc/self" "id:1,phase:2,pass,nolog,t:none,setvar:tx.seen=%{MATCHED_VAR}"',
    exchange: { target: '/?v=/approc/buddyinfo' },
    ours: '/approc/buddyinfo',
    theirs: '',
  },
];

/** Those that a variable cannot show: what is logged, and what depends on the order of a hash table or on a second form. */
const toldElsewhere = ['sec-action-is-not-logged', 'multi-match-chain-on-captures', 'values-in-hash-order'];

const program = compiled('modsecurity-oracle/oracle');
const settings = '\nSecRuleEngine On\nSecRequestBodyAccess On\nSecArgumentsLimit 1000\n';

function exchangeOf({ exchange }: Story): Exchange {
  const nothing: Exchange = { method: 'GET', target: '/', protocol: '1.1', fields: [['Host', 'localhost']], body: '' };
  return { ...nothing, ...exchange };
}

describe('the differences to libmodsecurity', () => {
  it('are each written down with the cause and what we do', () => {
    const written = writtenDifferences();
    expect(written.map(({ name }) => name).sort()).toEqual(differences.map(({ name }) => name).sort());
    for (const { cause, ours } of written) expect(Math.min(cause.length, ours.length)).toBeGreaterThan(20);
  });

  it('are each pinned by a story', () => {
    const told = [...stories.map(({ difference }) => difference), ...toldElsewhere];
    expect(told.sort()).toEqual(differences.map(({ name }) => name).sort());
  });

  it.each(stories)('$difference: ours', (story) => {
    const engine = new OurEngine(
      { files: [{ name: 'rules', text: `${settings}${story.rules}\n` }], read: () => undefined },
      ['seen'],
    );
    expect(engine.ask(exchangeOf(story)).tx['seen'] ?? '').toBe(story.ours);
  });

  it.each([
    ['/?v=/approc/buddyinfo', ['words-behind-what-began-as-others']],
    ['/?v=%2fap%70roc/buddyinfo', ['words-behind-what-began-as-others']],
    ['/?v=/proc/buddyinfo', undefined],
    ['/?v=xproc/buddyinfo', undefined],
    ['/?v=app/proc/buddyinfo', undefined],
  ])('explain a word that only we find where another had begun before it: %s', (target, names) => {
    const text = 'SecRule ARGS "@pm app/x proc/buddyinfo proc/self" "id:930130,phase:2,pass,t:none"';
    const facts = factsOf({ files: [{ name: 'rules', text }], read: () => undefined });
    const exchange: Exchange = { method: 'GET', target, protocol: '1.1', fields: [['Host', 'localhost']], body: '' };
    const nothing = { rules: [], status: 200, tx: {} };
    expect(explain({ exchange, ours: { ...nothing, rules: [930_130] }, theirs: nothing }, facts)).toEqual(names);
  });

  (program === undefined ? it.skip : it).each(stories)('$difference: theirs', (story) => {
    const oracle = new Oracle(program!, ['none', ''], ['seen']);
    const [answer] = oracle.ask([`${settings}${story.rules}\n`], [exchangeOf(story)]);
    oracle.close();
    expect(answer!.tx['seen'] ?? '').toBe(story.theirs);
  });
});
