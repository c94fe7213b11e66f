import { drain } from './budget';
import { hitsOf, rulesOf, run } from './rules-under-test.suite';

/** What rules left in `TX`, as a phase 5 rule shows it. */
function tx(rules: string, name: string, exchange?: Parameters<typeof run>[1]): string {
  const shown = `${rules}\nSecAction "id:99999,phase:5,pass,log,msg:'shown',logdata:'%{tx.${name}}'"`;
  return run(shown, exchange)
    .takeHits()
    .find(({ rule }) => rule === 99999)!.data;
}

const form = { method: 'POST', fields: { 'Content-Type': 'application/x-www-form-urlencoded' } };

describe('values', () => {
  it('are byte strings: an escape is a byte, and two bytes of UTF-8 are two', () => {
    const rules = String.raw`SecRule ARGS:a "@rx ^\xc3\xa9$" "id:1,phase:2,pass"
      SecRule ARGS:a "@eq 2" "id:2,phase:2,pass,t:length"`;
    expect(hitsOf(rules, { target: '/?a=%C3%A9' })).toEqual([1, 2]);
  });

  it.each([
    ['/d/x?a=1#t', '/d/x x a=1 /d/x?a=1 /d/x?a=1#t'],
    ['/d/x#t?a=1', '/d/x x  /d/x /d/x#t?a=1'],
    ['/d/x%23t?a=1%23u', '/d/x#t x#t a=1%23u /d/x#t?a=1#u /d/x%23t?a=1%23u'],
    ['http://h/d/x?a=1#t', 'http://h/d/x x a=1 /d/x?a=1 http://h/d/x?a=1#t'],
  ])('of the target end where a fragment begins, as they do for libmodsecurity: %s', (target, seen) => {
    const names = ['REQUEST_FILENAME', 'REQUEST_BASENAME', 'QUERY_STRING', 'REQUEST_URI', 'REQUEST_URI_RAW'];
    const rules = `SecAction "id:1,phase:2,pass,nolog,setvar:'tx.seen=${names.map((name) => `%{${name}}`).join(' ')}'"`;
    expect(tx(rules, 'seen', { target })).toBe(seen);
  });

  it('of a header are its bytes as latin1', () =>
    expect(
      hitsOf('SecRule REQUEST_HEADERS:X "@rx ^.\\xff$" "id:1,phase:1,pass"', { fields: { x: '\xe9\xff' } }),
    ).toEqual([1]));
});

describe('transformations', () => {
  const standard = 'SecDefaultAction "phase:2,log,pass,t:lowercase"\n';

  it('of SecDefaultAction come first, unless t:none clears them', () => {
    const rules = `${standard}SecRule ARGS:a "@streq x" "id:1,phase:2"
      SecRule ARGS:a "@streq X" "id:2,phase:2,t:none"
      SecRule ARGS:a "@streq 1" "id:3,phase:2,t:length"`;
    expect(hitsOf(rules, { target: '/?a=X' })).toEqual([1, 2, 3]);
  });

  it('that cannot decode leave what they cannot', () =>
    expect(
      hitsOf('SecRule ARGS:a "@streq %zz%4" "id:1,phase:2,pass,t:urlDecodeUni"', { target: '/?a=%25zz%254' }),
    ).toEqual([1]));
});

describe('multiMatch', () => {
  const rules = (operator: string) =>
    `SecRule ARGS:a "${operator}" "id:1,phase:2,pass,multiMatch,t:lowercase,t:removeWhitespace,t:removeWhitespace,setvar:tx.seen=+1"`;

  it('looks at the value as it is, and after every step that changed it', () => {
    expect(tx(rules('@rx ^.'), 'seen', { target: '/?a=A%20B' })).toBe('3');
    expect(tx(rules('@rx ^.'), 'seen', { target: '/?a=ab' })).toBe('1');
    expect(tx(rules('@contains A'), 'seen', { target: '/?a=A%20B' })).toBe('1');
  });

  it('counts each form that matched', () =>
    expect(run(rules('@rx ^.'), { target: '/?a=A%20B' }).takeHits()).toMatchObject([{ count: 3 }]));
});

describe('collections', () => {
  const order = 'SecRule ARGS "@rx ^(.*)$" "id:1,phase:2,pass,capture,setvar:tx.order=%{tx.order}%{tx.1}"';

  it('ARGS holds query arguments, then those of the body, in order and with every repetition', () =>
    expect(tx(order, 'order', { ...form, target: '/?a=1&b=2&a=3', body: 'a=4&c=5' })).toBe('12345'));

  it('selectors ignore letter case, of arguments, headers, cookies and TX', () => {
    const rules = `SecRule ARGS:NaMe "@streq v" "id:1,phase:2,pass"
      SecRule REQUEST_HEADERS:x-TEST "@streq v" "id:2,phase:1,pass"
      SecRule REQUEST_COOKIES:SID "@streq v" "id:3,phase:1,pass"
      SecAction "id:4,phase:1,pass,nolog,setvar:tx.Flag=v"
      SecRule TX:fLAG "@streq v" "id:5,phase:2,pass"
      SecRule ARGS:/^NAM/ "@streq v" "id:6,phase:2,pass"`;
    expect(hitsOf(rules, { target: '/?name=v', fields: { 'X-Test': 'v', Cookie: 'sid=v' } })).toEqual([2, 3, 1, 5, 6]);
  });

  it('a selector that is a pattern picks the members it is found in', () => {
    const rules =
      'SecRule ARGS:/^user_|^id$/ "@rx ." "id:1,phase:2,pass,setvar:tx.seen=%{tx.seen}%{matched_var_name};"';
    expect(tx(rules, 'seen', { target: '/?user_a=1&other=2&ID=3&a_user_=4' })).toBe('ARGS:user_a;ARGS:ID;');
  });

  it('a target with ! takes members out of the whole list, wherever it stands', () => {
    const rules = `SecRule !ARGS:b|ARGS|ARGS_NAMES:b "@rx ." "id:1,phase:2,pass,setvar:tx.seen=%{tx.seen}%{matched_var_name};"
      SecRule ARGS|!ARGS:/^b/ "@streq 2" "id:2,phase:2,pass"`;
    const exchange = { target: '/?a=1&b=2' };
    expect(tx(rules, 'seen', exchange)).toBe('ARGS:a;ARGS_NAMES:b;');
    expect(hitsOf(rules, exchange)).toEqual([1]);
  });

  it('& counts members, and an absent one is 0', () => {
    const rules = `SecRule &ARGS "@eq 3" "id:1,phase:2,pass"
      SecRule &ARGS:a "@eq 2" "id:2,phase:2,pass"
      SecRule &ARGS:none "@eq 0" "id:3,phase:2,pass"
      SecRule &TX:none "@eq 0" "id:4,phase:2,pass"
      SecRule &REQUEST_HEADERS:/^x-/ "@eq 2" "id:5,phase:2,pass"`;
    expect(hitsOf(rules, { target: '/?a=1&a=2&b=3', fields: { 'x-a': '1', 'X-B': '2', other: '' } })).toEqual([
      1, 2, 3, 4, 5,
    ]);
  });

  it('& counts variables of TX whose name a pattern is found in: those of the setup, written anew or deleted, and those of the request', () => {
    const rules = `SecAction "id:1,phase:1,pass,nolog,setvar:tx.hit_a=1,setvar:tx.hit_b=1,setvar:tx.other=1"
      SecRule ARGS:a "@rx ." "id:2,phase:2,pass,nolog,setvar:tx.hit_c=1,setvar:tx.HIT_B=2,setvar:!tx.hit_a"
      SecRule &TX:/^hit_/ "@eq 2" "id:3,phase:2,pass"
      SecRule &TX:/^none_/ "@eq 0" "id:4,phase:2,pass"`;
    expect(hitsOf(rules, { target: '/?a=1' })).toEqual([3, 4]);
    expect(hitsOf(rules, { target: '/?b=1' })).toEqual([3, 4]);
    expect(hitsOf(rules.replace('setvar:!tx.hit_a', 'setvar:tx.hit_d=1'), { target: '/?a=1' })).toEqual([4]);
  });

  it('SecRuleUpdateTargetById edits the list, for ranges as well', () => {
    const rules = `SecRule ARGS "@rx ." "id:10,phase:2,pass"
      SecRule ARGS "@rx ." "id:11,phase:2,pass"
      SecRule ARGS "@rx ." "id:12,phase:2,pass"
      SecRuleUpdateTargetById 10-11 "!ARGS:a"
      SecRuleUpdateTargetById 11 "REQUEST_HEADERS:X"`;
    expect(hitsOf(rules, { target: '/?a=1', fields: { x: '1' } })).toEqual([11, 12]);
  });
});

describe('actions', () => {
  it('setvar runs once for each value that matches; the hit comes once, with their number and the last of them', () => {
    const rules = `SecRule ARGS "@rx a" "id:1,phase:2,pass,setvar:tx.score=+5,logdata:'%{MATCHED_VAR}'"`;
    const exchange = { target: '/?x=a1&y=b&z=a2' };
    expect(tx(rules, 'score', exchange)).toBe('10');
    expect(run(rules, exchange).takeHits()).toMatchObject([{ rule: 1, count: 2, variable: 'ARGS:z', data: 'a2' }]);
  });

  it('setvar counts up and down from whole numbers, deletes, and names by macro', () => {
    const rules = `SecAction "id:1,phase:1,pass,nolog,setvar:tx.a=7x,setvar:tx.a=+%{tx.five},setvar:tx.five=5,setvar:tx.a=+%{tx.five}"
      SecAction "id:2,phase:1,pass,nolog,setvar:tx.a=-2,setvar:tx.flag,setvar:tx.gone=1,setvar:!tx.gone"
      SecRule REQUEST_METHOD "@rx ." "id:3,phase:1,pass,nolog,setvar:'tx.of_%{MATCHED_VAR}=%{tx.a}/%{tx.flag}/%{tx.gone}/'"`;
    expect(tx(rules, 'of_get')).toBe('10/1//');
  });

  it('in a chain, setvar of a link that matched stays although a later link fails', () => {
    const rules = `SecRule ARGS:a "@rx ." "id:1,phase:2,deny,chain,setvar:tx.head=1"
      SecRule ARGS:b "@rx ." "setvar:tx.link=1,chain"
      SecRule ARGS:c "@rx ." "setvar:tx.last=1"`;
    const show = (name: string, target: string) => tx(rules, name, { target });
    expect(['head', 'link', 'last'].map((name) => show(name, '/?a=1&b=1'))).toEqual(['1', '1', '']);
    expect(run(rules, { target: '/?a=1&b=1' }).interruption).toBeUndefined();
    expect(run(rules, { target: '/?a=1&b=1&c=1' }).interruption).toEqual({ rule: 1, phase: 2, status: 403 });
  });

  it('MATCHED_VARS gathers over the chain, MATCHED_VAR holds the last', () => {
    const rules = `SecRule ARGS "@rx ^m" "id:1,phase:2,pass,chain"
      SecRule REQUEST_METHOD "@streq GET" "chain"
      SecRule MATCHED_VARS "@rx ^(?:m2|GET)$" "setvar:tx.seen=+1,chain"
      SecRule MATCHED_VARS_NAMES "@streq ARGS:x" "setvar:'tx.last=%{MATCHED_VAR}'"`;
    const exchange = { target: '/?x=m1&y=m2&z=n' };
    expect(tx(rules, 'seen', exchange)).toBe('2');
    expect(tx(rules, 'last', exchange)).toBe('ARGS:x');
  });

  it('captures are set before setvar and chain, and groups that take no part keep their old value', () => {
    const rules = `SecRule ARGS:a "@rx ^(x)(y)?" "id:1,phase:2,pass,capture,nolog"
      SecRule ARGS:b "@rx ^(z)(y)?" "id:2,phase:2,pass,capture,nolog,chain,setvar:tx.seen=%{tx.1}%{tx.2}"
      SecRule TX:1 "@streq z" "setvar:tx.chained=%{tx.0}"`;
    const exchange = { target: '/?a=xy&b=z!' };
    expect(tx(rules, 'seen', exchange)).toBe('zy');
    expect(tx(rules, 'chained', exchange)).toBe('z');
  });

  it('@pm, @detectSQLi and @detectXSS capture; @contains and @streq do not', () => {
    const captured = (operator: string, value: string) =>
      tx(`SecRule ARGS:a "${operator}" "id:1,phase:2,pass,nolog,capture,setvar:'tx.seen=<%{tx.0}>'"`, 'seen', {
        target: `/?a=${encodeURIComponent(value)}`,
      });
    expect(captured('@pm word', 'a WORD')).toBe('<word>');
    expect(captured('@detectSQLi', "1' or '1'='1")).toBe('<s&sos>');
    expect(captured('@contains wor', 'words')).toBe('<>');
    expect(captured('@streq words', 'words')).toBe('<>');
  });
});

describe('operators in rules', () => {
  it('compare the whole number a value begins with, and macros after they are filled in', () => {
    const rules = `SecAction "id:1,phase:1,pass,nolog,setvar:tx.most=11"
      SecRule ARGS:a "@gt %{tx.most}" "id:2,phase:2,pass"
      SecRule ARGS:a "@eq 12" "id:3,phase:2,pass"
      SecRule ARGS:b "@eq 0" "id:4,phase:2,pass"
      SecRule ARGS:a "@lt %{tx.none}" "id:5,phase:2,pass"`;
    expect(hitsOf(rules, { target: '/?a=12abc&b=abc' })).toEqual([2, 3, 4]);
  });

  it('that are negated never hit where there is nothing', () => {
    const rules = `SecRule ARGS:none "!@rx ." "id:1,phase:2,pass"
      SecRule ARGS:a "!@rx ^b" "id:2,phase:2,pass"`;
    expect(hitsOf(rules, { target: '/?a=1' })).toEqual([2]);
  });

  it('that are negated leave their captures although the rule does not match', () => {
    const rules = 'SecRule ARGS:a "!@rx ^(b)" "id:1,phase:2,pass,capture"';
    expect(tx(rules, '1', { target: '/?a=bc' })).toBe('b');
  });
});

describe('decisions', () => {
  const standard = 'SecDefaultAction "phase:1,log,deny,status:406"\n';

  it('block is what SecDefaultAction of the phase says, and pass where none says', () => {
    const rules = `${standard}SecRule ARGS_GET:a "@rx ." "id:1,phase:1,block"
      SecRule ARGS:b "@rx ." "id:2,phase:2,block"`;
    expect(run(rules, { target: '/?a=1' }).interruption).toEqual({ rule: 1, phase: 1, status: 406 });
    const passed = run(rules, { target: '/?b=1' });
    expect(passed.interruption).toBeUndefined();
    expect(passed.takeHits()).toMatchObject([{ rule: 2 }]);
  });

  const denying = `SecRule ARGS_GET:a "@rx ." "id:1,phase:1,deny,status:418"
    SecRule REQUEST_METHOD "@rx ." "id:2,phase:1,pass"
    SecRule REQUEST_METHOD "@rx ." "id:3,phase:2,pass"
    SecRule RESPONSE_STATUS "@rx ." "id:4,phase:3,pass"
    SecRule REQUEST_METHOD "@rx ." "id:5,phase:5,pass"`;
  const exchange = { target: '/?a=1', response: { status: 200 } };

  it('deny ends phases 1 to 4, and phase 5 always runs', () => {
    const transaction = run(denying, exchange);
    expect(transaction.interruption).toEqual({ rule: 1, phase: 1, status: 418 });
    expect(transaction.takeHits().map(({ rule }) => rule)).toEqual([1, 5]);
  });

  it('in detect everything runs and nothing is refused', () => {
    const transaction = run(denying, exchange, { mode: 'detect' });
    expect(transaction.interruption).toBeUndefined();
    expect(transaction.takeHits().map(({ rule }) => rule)).toEqual([1, 2, 3, 4, 5]);
  });

  it('allow passes over the rest: of everything, of the phase, of the request', () => {
    const rules = (allow: string) => `SecRule ARGS_GET:a "@rx ." "id:1,phase:1,${allow}"
      ${denying.replace('"id:1,', '"id:9,').replace('deny,status:418', 'pass')}`;
    expect(hitsOf(rules('allow'), exchange)).toEqual([1, 5]);
    expect(hitsOf(rules('allow:phase'), exchange)).toEqual([1, 3, 4, 5]);
    expect(hitsOf(rules('allow:request'), exchange)).toEqual([1, 4, 5]);
  });

  it('rules with nolog leave no hit, and still decide', () => {
    const transaction = run('SecRule REQUEST_METHOD "@rx ." "id:1,phase:1,deny,nolog"');
    expect(transaction.takeHits()).toEqual([]);
    expect(transaction.interruption).toMatchObject({ rule: 1 });
  });
});

describe('passing over rules', () => {
  const always = (id: number, phase: number) => `SecRule REQUEST_METHOD "@rx ." "id:${id},phase:${phase},pass"\n`;

  it('skipAfter goes on after the marker, inside its phase', () => {
    const rules = `SecRule ARGS_GET:a "@rx ." "id:1,phase:1,pass,skipAfter:END"
      ${always(2, 1)}${always(3, 2)}SecMarker END
      ${always(4, 1)}${always(5, 2)}`;
    expect(hitsOf(rules, { target: '/?a=1' })).toEqual([1, 4, 3, 5]);
    expect(hitsOf(rules, { target: '/' })).toEqual([2, 4, 3, 5]);
  });

  it('skipAfter to a marker that does not follow goes to the end of the phase', () => {
    const rules = `SecMarker BEFORE
      SecRule ARGS_GET:a "@rx ." "id:1,phase:1,pass,skipAfter:BEFORE"
      ${always(2, 1)}${always(3, 2)}`;
    expect(hitsOf(rules, { target: '/?a=1' })).toEqual([1, 3]);
  });

  it('skip counts the rules of the phase', () => {
    const rules = `SecRule ARGS_GET:a "@rx ." "id:1,phase:1,pass,skip:1"
      ${always(2, 1)}${always(3, 2)}${always(4, 1)}`;
    expect(hitsOf(rules, { target: '/?a=1' })).toEqual([1, 4, 3]);
  });
});

describe('ctl', () => {
  const tagged = (id: number, phase = 2) =>
    `SecRule ARGS "@rx ." "id:${id},phase:${phase},pass,tag:'t/${id % 10}',msg:'m${id}'"\n`;
  const when = (ctl: string) => `SecRule ARGS_GET:go "@rx ." "id:1,phase:1,pass,nolog,ctl:${ctl}"\n`;
  const all = tagged(11) + tagged(12) + tagged(21);
  const go = { target: '/?go=1' };

  it.each<[string, number[]]>([
    ['ruleRemoveById=11', [12, 21]],
    ['ruleRemoveById=11-12', [21]],
    ['ruleRemoveByTag=t/1', [12]],
    ['ruleRemoveByMsg=m12', [11, 21]],
    ['ruleRemoveTargetById=11;ARGS', [12, 21]],
    ['ruleRemoveTargetById=11-20;ARGS:go', [21]],
    ['ruleRemoveTargetById=11;ARGS:other', [11, 12, 21]],
    ['ruleRemoveTargetByTag=t/1;ARGS:/^G/', [12]],
    ['ruleRemoveTargetByMsg=m12;ARGS:GO', [11, 21]],
    ['ruleEngine=Off', []],
    ['auditEngine=Off', [11, 12, 21]],
  ])('%s', (ctl, expected) => {
    expect(hitsOf(when(ctl) + all, go)).toEqual(expected);
    expect(hitsOf(when(ctl) + all, { target: '/?stay=1' })).toEqual([11, 12, 21]);
  });

  it('a removal does not undo a rule that ran before', () => {
    const rules = `${tagged(11)}SecRule ARGS "@rx ." "id:1,phase:2,pass,nolog,ctl:ruleRemoveById=11-12"\n${tagged(12)}`;
    expect(hitsOf(rules, go)).toEqual([11]);
  });

  it('of a chain runs when the last link has matched', () => {
    const rules = `SecRule ARGS_GET:go "@rx ." "id:1,phase:1,pass,nolog,chain,ctl:ruleRemoveById=11"
      SecRule ARGS_GET:now "@rx ."\n${tagged(11)}`;
    expect(hitsOf(rules, go)).toEqual([11]);
    expect(hitsOf(rules, { target: '/?go=1&now=1' })).toEqual([]);
  });

  it('ruleEngine=DetectionOnly lets nothing be refused, and On refuses nothing that the plan does not', () => {
    const deny = 'SecRule ARGS "@rx ." "id:2,phase:2,deny"';
    expect(run(when('ruleEngine=DetectionOnly') + deny, go).interruption).toBeUndefined();
    expect(run(when('ruleEngine=On') + deny, go, { mode: 'detect' }).interruption).toBeUndefined();
    expect(run(when('ruleEngine=On') + deny, go).interruption).toMatchObject({ rule: 2 });
  });

  it('requestBodyProcessor chooses the reader of the body', () => {
    const rules = `SecAction "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
      SecRule ARGS:json.a "@streq b" "id:2,phase:2,pass"
      SecRule REQBODY_PROCESSOR "@streq JSON" "id:3,phase:2,pass"`;
    expect(hitsOf(rules, { method: 'POST', body: '{"a":"b"}' })).toEqual([2, 3]);
  });
});

describe('the body', () => {
  it('is in REQUEST_BODY as received, whatever reads it, but for XML, which is looked at by parts', () => {
    const rules = `SecRule REQUEST_BODY "@rx ." "id:1,phase:2,pass,logdata:'%{MATCHED_VAR}'"
      SecRule XML:/*|XML://@* "@rx ^e" "id:2,phase:2,pass,setvar:tx.seen=%{tx.seen}%{MATCHED_VAR_NAME}=%{MATCHED_VAR};"`;
    const post = (type: string, body: string) => ({ method: 'POST', fields: { 'Content-Type': type }, body });
    for (const [type, body] of [
      ['application/x-www-form-urlencoded', 'a=%41'],
      ['application/json', '{}'],
      ['text/csv', 'a,b'],
    ] as const) {
      expect(run(rules, post(type, body)).takeHits()).toMatchObject([{ rule: 1, data: body.replaceAll('"', '') }]);
    }
    const xml = post('text/xml', '<a b="e1" c="x"><d>e2</d></a>');
    expect(hitsOf(rules, xml)).toEqual([2]);
    expect(tx(rules, 'seen', xml)).toBe('XML:/*=e2;XML://@*=e1;');
  });

  it('with an error sets REQBODY_ERROR and keeps what was read', () => {
    const rules = `SecRule REQBODY_ERROR "!@eq 0" "id:1,phase:2,pass"
      SecRule ARGS:json.a "@streq 1" "id:2,phase:2,pass"`;
    const broken = { method: 'POST', fields: { 'Content-Type': 'application/json' }, body: '{"a":1,' };
    expect(hitsOf(rules, broken)).toEqual([1, 2]);
  });
});

describe('the answer', () => {
  it('is seen by phases 3 and 4', () => {
    const rules = `SecRule RESPONSE_STATUS "@streq 500" "id:1,phase:3,pass"
      SecRule RESPONSE_HEADERS:Server "@contains test" "id:2,phase:3,pass"
      SecRule RESPONSE_BODY "@contains ORA-" "id:3,phase:4,pass"`;
    expect(hitsOf(rules, { response: { status: 500, fields: { server: 'test/1' }, body: 'x ORA-00933' } })).toEqual([
      1, 2, 3,
    ]);
  });

  it('of an answer that ends with what it is refused for also have the rules that need its end', () => {
    const found = (id: number, pattern: string) =>
      `SecRule RESPONSE_BODY "@rx ${pattern}" "id:${id},phase:4,pass,log,t:none,setvar:tx.score=+1"`;
    const rules = [
      found(1, 'SQLException'),
      found(2, 'java[.A-Za-z]+Exception\\b'),
      'SecRule TX:score "@ge 1" "id:3,phase:4,deny,log"',
    ].join('\n');
    const response = { status: 500, body: 'java.sql.SQLException' };
    expect(
      run(rules, { response })
        .takeHits()
        .map(({ rule }) => rule),
    ).toEqual([1, 2, 3]);
  });
});

describe('work', () => {
  const long = { method: 'POST', fields: { 'Content-Type': 'text/plain' }, body: 'ab '.repeat(20_000) };
  const many = Array.from(
    { length: 50 },
    (_, at) => `SecRule REQUEST_BODY "@rx [ab ]{3}[q-z]{${at + 1}}" "id:${at + 1},phase:2,pass"`,
  ).join('\n');

  it('stops for others and goes on where it was', () => {
    let now = 0;
    const transaction = rulesOf(`${many}\nSecRule REQUEST_BODY "@rx b" "id:99,phase:2,pass"`)
      .adjusted()
      .begin({
        mode: 'block',
        requestId: 'r',
        now: () => (now += 1),
        budget: { slice: 2, base: 1e6, perKib: 1, most: 1e6 },
      });
    drain(
      transaction.requestHead({ method: 'POST', target: '/', protocol: 'HTTP/1.1', clientAddress: '', fields: [] }),
    );
    let pauses = 0;
    for (const work = transaction.requestBody({ raw: long.body }); !work.next().done;) pauses++;
    expect(pauses).toBeGreaterThan(5);
    expect(transaction.takeHits()).toMatchObject([{ rule: 99 }]);
  });

  it('of several exchanges takes turns, and each finds what is its own', () => {
    let now = 0;
    const words = ['amber', 'basket', 'candle', 'delivery', 'evening', 'forest'];
    const ofWords = words.map(
      (word, at) => `SecRule REQUEST_BODY "@rx ${word}[0-9]" "id:${at + 1},phase:2,pass,setvar:tx.score=+${at}"`,
    );
    const program = rulesOf(
      [...ofWords, 'SecRule TX:score "@gt 3" "id:9,phase:2,pass,log"', many.replaceAll('id:', 'id:10')].join('\n'),
    ).adjusted();
    const begin = () =>
      program.begin({
        mode: 'block',
        requestId: 'r',
        now: () => (now += 1),
        budget: { slice: 2, base: 1e6, perKib: 1, most: 1e6 },
      });
    const expected = words.map((_, at) => (at > 3 ? [at + 1, 9] : [at + 1]));
    // What the first ones have used, the others use again.
    for (let round = 0; round < 2; round++) {
      const transactions = words.map(begin);
      for (const transaction of transactions)
        drain(
          transaction.requestHead({ method: 'POST', target: '/', protocol: 'HTTP/1.1', clientAddress: '', fields: [] }),
        );
      let under = transactions.map((transaction, at) =>
        transaction.requestBody({ raw: `${long.body.slice(0, 20_000)}-${words[at]}7` }),
      );
      while (under.length > 0) under = under.filter((work) => !work.next().done);
      expect(transactions.map((transaction) => transaction.takeHits().map(({ rule }) => rule))).toEqual(expected);
    }
  });

  it('ends when its budget is spent, and says so', () => {
    let now = 0;
    const budget = { slice: 1, base: 3, perKib: 0, most: 3 };
    const transaction = rulesOf(many)
      .adjusted()
      .begin({ mode: 'block', requestId: 'r', now: () => (now += 1), budget });
    drain(
      transaction.requestHead({ method: 'POST', target: '/', protocol: 'HTTP/1.1', clientAddress: '', fields: [] }),
    );
    drain(transaction.requestBody({ raw: long.body }));
    expect(transaction.exhausted).toBe(true);
  });
});

describe('what is shown of a hit', () => {
  it('is printable, bounded, and nothing that may be a credential', () => {
    const rules = `SecRule ARGS "@rx ." "id:1,phase:2,pass,logdata:'%{MATCHED_VAR}'"`;
    const data = (target: string) => run(rules, { target }).takeHits()[0]!.data;
    expect(data('/?a=%00%22x')).toBe('\\x00\\x22x');
    expect(data(`/?a=${'y'.repeat(500)}`)).toHaveLength(100);
    expect(data('/?password=hunter2')).toBe('(7 bytes masked)');
  });

  it('as a log line is what go-ftw reads', () => {
    const rules = `SecRule ARGS:a "@rx (b)" "id:7,phase:2,pass,capture,msg:'It\\'s %{tx.1}',logdata:'%{MATCHED_VAR}',tag:'x/y',ver:'v1',severity:CRITICAL"`;
    expect(run(rules, { target: '/p?a=%22b' }).takeLogLines()).toEqual([
      `[id "7"] [msg "It's b"] [data "\\x22b"] [severity "CRITICAL"] [ver "v1"] [tag "x/y"] [uri "/p"] [unique_id "a1b2c3"]`,
    ]);
  });
});
