import { compileRuleSet, compilingRuleSet } from './compile';
import { hitsOf, rulesOf } from './rules-under-test.suite';
import { RuleError, type RuleFile, type RuleSource } from './seclang/rule-source';

/** What is said about rules that are refused. */
function refusalOf(text: string, source: Partial<RuleSource> = {}): string {
  try {
    compileRuleSet({ files: [{ name: 'rules/a.conf', text }], read: () => undefined, ...source });
  } catch (error) {
    if (error instanceof RuleError) return error.message;
    throw error;
  }
  return 'nothing';
}

const rule = (actions: string, operator = '@rx .', targets = 'ARGS') =>
  `SecRule ${targets} "${operator}" "id:1,phase:2,pass${actions && `,${actions}`}"`;

describe('a rule set is refused as a whole, with the place', () => {
  it.each<[string, string, string]>([
    ['a directive that does not exist', '\n\nSecRules ARGS "x"', '3: SecRules: there is no such directive'],
    ['a variable that does not exist', rule('', '@rx .', 'ARGS|ARGZ'), '1: SecRule: there is no variable ARGZ'],
    ['an operator that does not exist', rule('', '@regex .'), '1: SecRule: there is no operator @regex'],
    ['an action that does not exist', rule('explode'), '1: SecRule: there is no action explode'],
    [
      'an action that is refused',
      rule('exec:/bin/true'),
      '1: SecRule: the action exec is refused: rules start no programs',
    ],
    ['a transformation that does not exist', rule('t:none,t:rot13'), '1: SecRule: there is no transformation “rot13”'],
    [
      'a ctl option that does not exist',
      rule('ctl:ruleEngines=Off'),
      '1: SecRule: there is no ctl option “ruleEngines”',
    ],
    ['a path into XML', rule('', '@rx .', 'XML:/a/b'), '1: SecRule: of an XML document rules see the text'],
    ['a member of what has none', rule('', '@rx .', 'REQUEST_BODY:a'), '1: SecRule: REQUEST_BODY has no members'],
    ['a macro of no variable', rule("msg:'%{argz.a}'"), '1: SecRule: the macro %{argz.a} names no variable'],
    ['a phase that does not exist', 'SecAction "id:1,phase:6,pass"', '1: SecAction: there is no phase 6'],
    ['a rule without an id', 'SecRule ARGS "x" "phase:1,pass"', '1: SecRule: a SecRule needs an id'],
    [
      'a rule that looks for the answer of a model before there is one',
      'SecRule LLM_COMPLETION "x" "id:1,phase:2,pass"',
      '1: SecRule: LLM_COMPLETION is what a model answers, which is there in phases 4 and 5',
    ],
    ['a quote that is not closed', 'SecRule ARGS "@rx a', '1: SecRule: a " is not closed'],
    [
      'an action list without a comma',
      `SecAction "id:1,msg:'a' phase:1"`,
      "1: SecAction: after “'a'” a comma is missing",
    ],
    ['a last line that goes on', 'SecRule ARGS \\', '1: SecRule: the last line ends in a backslash'],
    ['a setvar of a variable nobody may write', rule('setvar:args.a=1'), '1: SecRule: setvar cannot write args'],
    ['an engine mode that does not exist', 'SecRuleEngine Maybe', '1: SecRuleEngine: it is On, Off or DetectionOnly'],
    ['a switch of links that are signed', 'SecHashEngine On', '1: SecHashEngine: links are not signed here'],
    [
      'an id that is no number',
      'SecRuleRemoveById first',
      '1: SecRuleRemoveById: “first” is neither an id nor a range',
    ],
  ])('%s', (_, text, expected) => expect(refusalOf(text)).toContain(`rules/a.conf:${expected}`));

  it('a broken pattern', () => expect(refusalOf(rule('', '@rx a('))).toMatch(/^rules\/a\.conf:1: SecRule: .*pattern/));

  it('a selector that is a broken pattern', () =>
    expect(refusalOf(rule('', '@rx .', 'ARGS:/a(/'))).toMatch(
      /^rules\/a\.conf:1: SecRule: the selector \/a\(\/ is no pattern/,
    ));

  it('a data file that is missing', () =>
    expect(refusalOf(rule('', '@pmFromFile words.data'))).toBe(
      'rules/a.conf:1: SecRule: there is no file words.data beside the rules',
    ));

  it('a duplicate id, naming both places', () =>
    expect(refusalOf(`${rule('')}\n\n${rule('')}`)).toBe(
      'rules/a.conf:3: SecRule: the id 1 is already that of the rule at rules/a.conf:1',
    ));

  it.each(['', '\nSecMarker END', '\nSecRuleEngine On'])('a chain whose next link is missing: %j', (after) =>
    expect(refusalOf(`\n${rule('chain')}${after}`)).toBe(
      'rules/a.conf:2: SecRule: the next link of its chain is missing',
    ),
  );

  it('a link of a chain that decides', () =>
    expect(refusalOf(`${rule('chain')}\nSecRule ARGS "x" "deny"`)).toBe(
      'rules/a.conf:2: SecRule: only the first rule of a chain may say deny',
    ));

  it('a rule in the middle of a continued directive, at the line where that begins', () =>
    expect(refusalOf('# comment\nSecRule ARGS \\\n  "@rx ." \\\n  "id:1,\\\n  phase:2,\\\n  explode"')).toBe(
      'rules/a.conf:2: SecRule: there is no action explode',
    ));
});

describe('Include', () => {
  const file = (name: string, text: string): RuleFile => ({ name, text });

  it('reads files where it stands, and errors name them', () => {
    const include = () => [file('b.conf', rule('explode'))];
    expect(refusalOf('Include b.conf', { include })).toBe('b.conf:1: SecRule: there is no action explode');
    const order: RuleSource = {
      files: [file('a.conf', 'SecAction "id:1,pass"\nInclude *.inc\nSecAction "id:4,pass"')],
      read: () => undefined,
      include: (pattern, from) => {
        expect([pattern, from]).toEqual(['*.inc', 'a.conf']);
        return [file('1.inc', 'SecAction "id:2,pass"'), file('2.inc', 'SecAction "id:3,pass"')];
      },
    };
    expect(compileRuleSet(order).rules.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  });

  it('of nothing is refused, unless it is optional', () => {
    expect(refusalOf('Include none.conf')).toBe('rules/a.conf:1: Include: there is no file none.conf');
    expect(refusalOf('IncludeOptional none.conf')).toBe('nothing');
  });

  it('in a circle is refused', () => {
    const include = (): RuleFile[] => [file('b.conf', 'Include b.conf')];
    expect(refusalOf('Include b.conf', { include })).toContain('Include: files include one another too deeply');
  });
});

describe('amendments', () => {
  const three = [1, 2, 3]
    .map((id) => `SecRule ARGS "@rx ." "id:${id},phase:2,pass,tag:'t${id}',msg:'m ${id}'"`)
    .join('\n');
  const left = (amendment: string) => hitsOf(`${three}\n${amendment}`, { target: '/?a=1' });

  it.each<[string, number[]]>([
    ['SecRuleRemoveById 1', [2, 3]],
    ['SecRuleRemoveById 1 3', [2]],
    ['SecRuleRemoveById "1-2"', [3]],
    ['SecRuleRemoveByTag t2', [1, 3]],
    ['SecRuleRemoveByMsg "m 3"', [1, 2]],
    ['SecRuleUpdateTargetById 1 "!ARGS:a"', [2, 3]],
    ['SecRuleUpdateTargetByTag t2 "!ARGS"', [1, 3]],
    ['SecRuleUpdateTargetByMsg "m 2" "!ARGS:/^a/"', [1, 3]],
    ['SecRuleUpdateActionById 2 "nolog"', [1, 3]],
    ['SecRuleUpdateActionById 1 "deny"', [1]],
  ])('%s', (amendment, expected) => expect(left(amendment)).toEqual(expected));

  it('hold wherever they stand', () =>
    expect(hitsOf(`SecRuleRemoveById 1\n${three}`, { target: '/?a=1' })).toEqual([2, 3]));
});

describe('what a rule set says of itself', () => {
  it('that nothing fills a variable it looks at, once', () => {
    const looks = (id: number) => `SecRule BOT_SCORE|ARGS "@eq 1" "id:${id},phase:1,pass"\n`;
    const set = compileRuleSet({ files: [{ name: 'test.conf', text: looks(1) + looks(2) }], read: () => undefined });
    expect(set.warnings).toEqual(['test.conf:1: nothing fills BOT_SCORE yet: rules that look at it find nothing']);
  });

  it('its cards, settings and warnings', () => {
    const set = rulesOf(`SecRuleEngine DetectionOnly
      SecResponseBodyMimeType application/json
      SecRequestBodyLimit 1000
      SecComponentSignature "test/1"
      SecRule ARGS "@rbl example.org" "id:5,phase:1,pass,msg:'of %{tx.a}',severity:2,tag:'paranoia-level/3'"`);
    expect(set.cards).toEqual([
      { id: 5, phase: 1, message: 'of %{tx.a}', severity: 2, paranoia: 3, tags: ['paranoia-level/3'] },
    ]);
    expect(set.settings).toMatchObject({
      engine: 'detection-only',
      requestBodyLimit: 1000,
      componentSignatures: ['test/1'],
    });
    expect(set.settings.responseMediaTypes).toContain('application/json');
    expect(set.warnings).toEqual([expect.stringContaining('test.conf:5: @rbl')]);
  });

  it('can be compiled with pauses between', () => {
    const files = [{ name: 'a', text: `${rule('')}\nSecAction "id:2,pass"` }];
    const compiling = compilingRuleSet({ files, read: () => undefined });
    let pauses = 0;
    let step = compiling.next();
    for (; !step.done; step = compiling.next()) pauses++;
    expect(pauses).toBeGreaterThan(1);
    expect(step.value.rules).toHaveLength(2);
  });
});

describe('multiline', () => {
  const lines = { target: '/?a=x%0aab' };

  it('lets ^ and $ hold at lines, unless told otherwise', () => {
    expect(hitsOf(rule('', '@rx ^ab$'), lines)).toEqual([1]);
    expect(hitsOf(rule('', '@rx ^ab$'), lines, { multiline: false })).toEqual([]);
  });
});
