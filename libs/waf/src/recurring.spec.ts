import fc from 'fast-check';
import { drain } from './budget';
import type { Program } from './program';
import { Recurring } from './recurring';
import { rulesOf } from './rules-under-test.suite';

/** As CRS compares names of fields with a list. */
const restricted = `SecAction "id:1,phase:1,pass,nolog,setvar:'tx.restricted=/proxy/ /if/'"
  SecRule REQUEST_HEADERS:x-more "@rx ." "id:2,phase:1,pass,nolog,setvar:'tx.restricted=/x-more/'"
  SecRule REQUEST_HEADERS:x-copy "@rx ." "id:3,phase:1,pass,nolog,setvar:'tx.name_x=/proxy/'"
  SecRule REQUEST_HEADERS_NAMES "@rx ^.*$" "id:4,phase:1,deny,capture,t:none,t:lowercase,severity:CRITICAL,
    setvar:'tx.name_%{tx.0}=/%{tx.0}/',chain"
    SecRule TX:/^name_/ "@within %{tx.restricted}" "setvar:tx.seen=1"
  SecRule TX:name_accept "@rx ." "id:5,phase:1,pass,log,msg:'%{MATCHED_VAR} %{tx.0} %{HIGHEST_SEVERITY}'"
  SecAction "id:6,phase:5,pass,log,msg:'%{MATCHED_VAR_NAME} %{tx.0} %{HIGHEST_SEVERITY} %{tx.seen}'"`.replaceAll(
  ',\n    ',
  ',',
);

type Fields = readonly (readonly [string, string])[];

const programOf = (text = restricted): Program => rulesOf(text).adjusted();

function outcomeOf(program: Program, fields: Fields): unknown {
  const transaction = program.begin({ mode: 'block', requestId: 'a1b2c3', now: () => 0 });
  const named = fields.map(([name, value]) => ({ name, value }));
  const head = { method: 'GET', target: '/', protocol: 'HTTP/1.1', clientAddress: '192.0.2.7', fields: named };
  drain(transaction.requestHead(head));
  drain(transaction.requestBody({ raw: '' }));
  drain(transaction.finish());
  const hits = transaction.takeHits().map(({ rule, data, count, message }) => [rule, data, count, message]);
  return [transaction.interruption, hits, transaction.txVariable('name_accept'), transaction.txVariable('0')];
}

const plain: Fields = [
  ['Host', 'a'],
  ['Accept', '*/*'],
];

describe('a rule that copies names and compares the copies', () => {
  let asked: number;

  beforeEach(() => {
    asked = 0;
    const { matches } = Recurring.prototype;
    jest.spyOn(Recurring.prototype, 'matches').mockImplementation(function (this: Recurring, exchange, ask) {
      return matches.call(this, exchange, () => (asked++, ask()));
    });
  });

  afterEach(() => jest.restoreAllMocks());

  it('does the same again for the same names without being asked', () => {
    const program = programOf();
    const first = outcomeOf(program, plain);
    expect(outcomeOf(program, plain)).toEqual(first);
    expect(asked).toBe(1);
    expect(first).toEqual([
      undefined,
      [
        [5, '', 1, '/accept/ accept 2'],
        [6, '', 0, 'TX:name_accept accept 2 '],
      ],
      '/accept/',
      'accept',
    ]);
  });

  it.each([
    ['other names', [...plain, ['Via', 'b']]],
    ['the same in another order', [...plain].reverse()],
    ['the same in other letters', plain.map(([name, value]) => [name.toUpperCase(), value])],
    ['the same while another rule has changed the list', [...plain, ['X-More', '1']]],
    ['the same while another rule has written such a copy', [...plain, ['X-Copy', '1']]],
  ] as [string, Fields][])('is asked for %s', (_, fields) => {
    const program = programOf();
    outcomeOf(program, plain);
    expect(outcomeOf(program, fields)).toEqual(outcomeOf(programOf(), fields));
    expect(asked).toBe(3);
  });

  it('is asked where it has lost a target, and not where others have lost theirs', () => {
    const removing = (filter: string) =>
      `SecRule REQUEST_HEADERS:via "@rx ." "id:9,phase:1,pass,nolog,ctl:ruleRemoveTargetById=1-8;${filter}"\n${restricted}`;
    const proxied: Fields = [...plain, ['Via', 'b'], ['Proxy', 'c']];
    const spared = programOf(removing('REQUEST_HEADERS_NAMES:proxy'));
    outcomeOf(spared, plain);
    expect(outcomeOf(spared, proxied)).toMatchObject([undefined, {}, '/accept/', 'via']);
    expect(asked).toBe(1);
    const other = programOf(removing('ARGS'));
    for (let time = 1; time <= 2; time++) outcomeOf(other, [...plain, ['Via', 'b']]);
    expect(asked).toBe(2);
  });

  it('keeps nothing of long lists, and no more lists than it may', () => {
    const program = programOf();
    const long = Array.from({ length: 40 }, (_, at): [string, string] => [`x-rather-long-name-${at}`, '1']);
    for (let time = 1; time <= 2; time++) outcomeOf(program, long);
    expect(asked).toBe(2);
    for (let list = 0; list < 65; list++) outcomeOf(program, [[`x-${list}`, '1']]);
    outcomeOf(program, [['x-64', '1']]);
    expect(asked).toBe(2 + 65);
    outcomeOf(program, [['x-0', '1']]);
    expect(asked).toBe(2 + 66);
  });

  it('is asked each time where it matches', () => {
    const program = programOf();
    const fields: Fields = [...plain, ['Proxy', 'c']];
    const refused = { rule: 4, phase: 1, status: 403 };
    for (let time = 1; time <= 2; time++) expect(outcomeOf(program, fields)).toEqual(expect.arrayContaining([refused]));
    expect(asked).toBe(2);
  });

  it.each([
    ['values that say something of a person', 'ARGS'],
    ['one member', 'REQUEST_HEADERS:accept'],
    ['a count', '&REQUEST_HEADERS_NAMES'],
    ['two variables', 'REQUEST_HEADERS_NAMES|REQUEST_METHOD'],
    ['all but one member', 'REQUEST_HEADERS_NAMES|!REQUEST_HEADERS_NAMES:via'],
  ])('is no such rule where it copies %s', (_, target) => {
    const program = programOf(restricted.replace('REQUEST_HEADERS_NAMES', target));
    expect(program.phase(1).recurring.filter(Boolean)).toEqual([]);
  });

  it.each([
    ['what it writes is of a match before', "setvar:'tx.name_%{tx.0}=/%{tx.0}/'", "setvar:'tx.name_%{tx.0}=%{tx.1}'"],
    ['it adds up', "setvar:'tx.name_%{tx.0}=/%{tx.0}/'", "setvar:'tx.name_%{tx.0}=+1'"],
    ['it captures nothing itself', 'capture,t:none', 't:none'],
    ['it looks at more than copies', 'TX:/^name_/ "@within', 'TX:/^name_/|ARGS "@within'],
    ['it compares with what is no variable of TX', '%{tx.restricted}" "setvar', '%{request_line}" "setvar'],
  ])('is no such rule where %s', (_, from, to) => {
    expect(restricted).toContain(from);
    expect(programOf(restricted.replace(from, to)).phase(1).recurring.filter(Boolean)).toEqual([]);
  });
});

describe('knowing what a rule did for the same names', () => {
  const field = fc.tuple(
    fc.constantFrom('Host', 'Accept', 'ACCEPT', 'Via', 'Proxy', 'X-More', 'X-Copy', 'a\nb', ''),
    fc.constant('1'),
  );

  it('changes nothing of what is found and left behind, in whatever order requests come', () => {
    fc.assert(
      fc.property(fc.array(fc.array(field, { maxLength: 5 }), { minLength: 1, maxLength: 8 }), (requests) => {
        const program = programOf();
        for (const fields of requests) expect(outcomeOf(program, fields)).toEqual(outcomeOf(programOf(), fields));
      }),
      { numRuns: 150 },
    );
  });
});
