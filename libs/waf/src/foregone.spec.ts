import fc from 'fast-check';
import { hasBit, setBit } from './bit-set';
import { drain } from './budget';
import type { Program } from './program';
import { RuleMatcher } from './rule-matcher';
import { phases } from './rule-set';
import { hitsOf, rulesOf, run } from './rules-under-test.suite';

/** A score that a request may raise, and what CRS does with one. */
const scoring = `SecAction "id:1,phase:1,pass,nolog,setvar:tx.score=0"
  SecAction "id:2,phase:1,pass,nolog,setvar:tx.total=0"
  SecRule ARGS:bad "@rx ." "id:3,phase:1,pass,nolog,setvar:tx.score=+5"
  SecRule ARGS:worse "@rx ." "id:4,phase:2,pass,nolog,setvar:tx.SCORE=+6"
  SecRule &TX:score "@ge 1" "id:5,phase:2,pass,nolog,setvar:tx.total=+%{tx.score}"
  SecRule TX:total "@ge 5" "id:6,phase:2,pass,log"
  SecAction "id:7,phase:5,pass,nolog,setvar:tx.said=%{tx.total}"
  SecRule TX:said "@eq 0" "id:8,phase:5,pass,nolog,skipAfter:END"
  SecAction "id:9,phase:5,pass,log"
  SecMarker END`;

function visitedAlways(text: string, phase: 1 | 2 | 5): number[] {
  const { rules, always } = rulesOf(text).adjusted().phase(phase);
  return rules.filter((_, place) => hasBit(always, place)).map(({ id }) => id);
}

describe('rules whose outcome is foregone', () => {
  it('are not visited where they leave everything as it is', () => {
    expect(visitedAlways(scoring, 2)).toEqual([]);
    expect(visitedAlways(scoring, 5)).toEqual([7, 9]);
  });

  it.each([
    ['before the phase', '/?bad=1', [6, 9]],
    ['within the phase', '/?worse=1', [6, 9]],
    ['nowhere', '/', []],
  ])('are asked when what they read is written %s', (_, target, hits) =>
    expect(hitsOf(scoring, { target })).toEqual(hits),
  );

  it('leave in TX what they write', () => expect(run(scoring).txVariable('said')).toBe('0'));

  it('do not run where another rule removes them', () => {
    const rules = `SecRule ARGS "@rx ." "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=2"
      SecAction "id:2,phase:5,pass,nolog,setvar:tx.seen=1"`;
    expect(run(rules).txVariable('seen')).toBe('1');
    expect(run(rules, { target: '/?a=1' }).txVariable('seen')).toBeUndefined();
  });

  it('lose targets as others do', () => {
    const rules = `SecAction "id:1,phase:1,pass,nolog,setvar:tx.a=1"
      SecRule ARGS "@rx ." "id:2,phase:1,pass,nolog,ctl:ruleRemoveTargetById=3;TX:a"
      SecRule TX:a "@eq 1" "id:3,phase:5,pass,nolog,setvar:tx.seen=1"`;
    expect(run(rules).txVariable('seen')).toBe('1');
    expect(run(rules, { target: '/?a=1' }).txVariable('seen')).toBeUndefined();
  });

  it('are not asked where others lose targets of another variable', () => {
    const rules = `SecAction "id:1,phase:1,pass,nolog,setvar:tx.a=1"
      SecRule ARGS "@rx ." "id:2,phase:1,pass,nolog,ctl:ruleRemoveTargetById=3;ARGS:b"
      SecRule TX:a "@eq 1" "id:3,phase:5,pass,nolog,setvar:tx.seen=1"`;
    const program = rulesOf(rules).adjusted();
    const matches = jest.spyOn(RuleMatcher.prototype, 'matches');
    outcomeOf(program, '/?a=1');
    expect(matches.mock.calls.map(([{ id }]) => id)).toEqual([2]);
    matches.mockRestore();
  });

  it('delete what was written since', () => {
    const rules = `SecRule ARGS:a "@rx ." "id:1,phase:1,pass,nolog,setvar:tx.seen=1"
      SecAction "id:2,phase:2,pass,nolog,setvar:!tx.seen"`;
    expect(run(rules, { target: '/?a=1' }).txVariable('seen')).toBeUndefined();
  });

  it('are what matched last for a rule that asks', () => {
    const rules = `SecAction "id:1,phase:1,pass,nolog,setvar:tx.a=7"
      SecRule ARGS:never "@rx ." "id:2,phase:1,pass,nolog,setvar:tx.a=8"
      SecRule TX:a "@ge 1" "id:3,phase:2,pass,nolog"
      SecAction "id:4,phase:2,pass,nolog,setvar:tx.seen=%{MATCHED_VAR}"`;
    expect(run(rules, { target: '/?a=1' }).txVariable('seen')).toBe('7');
  });
});

/** A rule of a small language about TX. */
const ruleText = fc
  .record({
    phase: fc.constantFrom(1, 2, 5),
    head: fc.constantFrom(
      ...['TX:a "@eq 0"', 'TX:b "!@eq 1"', '&TX:c "@eq 0"', 'TX:a|TX:b "@ge %{tx.b}"', 'TX:a|&TX:c "@eq 1"'],
      ...['ARGS:x "@rx 1"', 'TX:b|ARGS:x "@eq 1"', 'MATCHED_VAR "@eq 1"', 'TX:a "@eq %{MATCHED_VAR}"', undefined],
    ),
    actions: fc.array(
      fc.constantFrom(
        ...[
          'setvar:tx.a=1',
          'setvar:tx.A=+1',
          'setvar:tx.b=%{tx.a}',
          'setvar:tx.a=+%{tx.c}',
          'setvar:!tx.c',
          'setvar:tx.c=0',
        ],
        ...[
          'setvar:tx.%{tx.b}b=1',
          'setvar:tx.c=%{MATCHED_VAR}',
          'capture',
          'skipAfter:M',
          'skip:1',
          'log',
          'deny',
          'allow',
        ],
        ...['severity:CRITICAL', 'ctl:ruleRemoveById=3-4', 'ctl:ruleRemoveTargetById=2-5;TX:a', "msg:'%{MATCHED_VAR}'"],
      ),
      { maxLength: 3 },
    ),
    link: fc.constantFrom(undefined, 'TX:c|TX:a "@ge 0" "setvar:tx.c=+1"', 'TX:b "@eq 1"', 'MATCHED_VAR "@eq 1"'),
    marked: fc.boolean(),
  })
  .map(({ phase, head, actions, link, marked }) => (id: number) => {
    const chain = link === undefined || head === undefined ? '' : ',chain';
    const quiet = actions.includes('log') ? '' : ',nolog';
    const all = `"id:${id},phase:${phase},pass${quiet}${actions.map((action) => `,${action}`).join('')}${chain}"`;
    const rule = head === undefined ? `SecAction ${all}` : `SecRule ${head} ${all}`;
    return `${rule}${chain ? `\nSecRule ${link}` : ''}${marked ? '\nSecMarker M' : ''}`;
  });

/** A program that visits every rule it would know the outcome of. */
function unknowing(program: Program): Program {
  for (const plan of phases.map((phase) => program.phase(phase))) {
    for (const [place, known] of plan.foregone.entries()) if (known) setBit(plan.always, place);
    (plan.foregone as unknown[]).fill(undefined);
  }
  return program;
}

function outcomeOf(program: Program, target: string): unknown {
  const transaction = program.begin({ mode: 'block', requestId: 'a1b2c3', now: () => performance.now() });
  drain(
    transaction.requestHead({ method: 'GET', target, protocol: 'HTTP/1.1', clientAddress: '192.0.2.7', fields: [] }),
  );
  drain(transaction.requestBody({ raw: '' }));
  drain(transaction.finish());
  const hits = transaction.takeHits().map(({ rule, data, count, message }) => [rule, data, count, message]);
  return [transaction.interruption, hits];
}

describe('knowing the outcome of rules beforehand', () => {
  it('changes nothing of what they find and leave behind', () => {
    fc.assert(
      fc.property(
        fc.array(ruleText, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('/', '/?x=1', '/?x=0'),
        (rules, target) => {
          const show = `SecAction "id:99,phase:5,pass,log,msg:'m',logdata:'%{tx.a};%{tx.b};%{tx.c};%{tx.1b};%{HIGHEST_SEVERITY}'"`;
          const set = rulesOf(`${rules.map((rule, at) => rule(at + 1)).join('\n')}\n${show}`);
          expect(outcomeOf(set.adjusted(), target)).toEqual(outcomeOf(unknowing(set.adjusted()), target));
        },
      ),
      { numRuns: 500 },
    );
  });
});
