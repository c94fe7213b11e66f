import fc from 'fast-check';
import { hitsOf, run, rulesOf } from './rules-under-test.suite';

const places = (text: string, adjustment = {}) =>
  ([1, 2, 5] as const).flatMap((phase) =>
    rulesOf(text)
      .adjusted(adjustment)
      .phase(phase)
      .rules.map(({ id }) => id),
  );

describe('rules that need no request', () => {
  const setup = `SecAction "id:1,phase:1,pass,nolog,setvar:tx.level=1"
    SecRule &TX:level "@eq 0" "id:2,phase:1,pass,nolog,setvar:tx.level=4"
    SecRule &TX:other "@eq 0" "id:3,phase:1,pass,nolog,setvar:tx.other=%{tx.level}"
    SecRule TX:LEVEL "@lt 2" "id:4,phase:2,pass,nolog,skipAfter:END"
    SecRule ARGS "@rx ." "id:5,phase:2,pass"
    SecMarker END
    SecRule ARGS "@rx ." "id:6,phase:2,pass"`;

  it('run when the set is compiled, and so do the gates they decide', () => {
    expect(places(setup)).toEqual([6]);
    expect(rulesOf(setup).adjusted().tx.get('other')).toBe('1');
  });

  it('follow what a route sets', () => expect(places(setup, { variables: { level: '2' } })).toEqual([5, 6]));

  it.each<[string, string, number[]]>([
    [
      'writes what a rule before them reads',
      'SecRule ARGS "@rx %{tx.a}" "id:1,phase:1,pass"\nSecAction "id:2,phase:1,pass,nolog,setvar:tx.a=1"',
      [1, 2],
    ],
    [
      'stand where another rule may jump over them',
      'SecRule ARGS "@rx ." "id:1,phase:1,pass,skipAfter:E"\nSecAction "id:2,phase:1,pass,nolog,setvar:tx.a=1"\nSecMarker E',
      [1, 2],
    ],
    [
      'may be removed',
      `SecRule ARGS "@rx ." "id:1,phase:1,pass,ctl:ruleRemoveById=2"\nSecAction "id:2,phase:1,pass,nolog,setvar:tx.a=1"`,
      [1, 2],
    ],
    ['leave a hit', 'SecAction "id:2,phase:1,pass,log"', [2]],
    ['decide', 'SecAction "id:2,phase:1,deny,nolog"', [2]],
    ['run in a later phase', 'SecAction "id:2,phase:2,pass,nolog,setvar:tx.a=1"', [2]],
    [
      'look at what a request may change',
      'SecRule ARGS "@rx ." "id:1,phase:1,pass,setvar:tx.a_%{MATCHED_VAR}=1"\nSecRule TX:a_b "@eq 0" "id:2,phase:1,pass,nolog,skipAfter:E"\nSecMarker E',
      [1, 2],
    ],
  ])('stay where they are when they %s', (_, rules, expected) => expect(places(rules)).toEqual(expected));

  it('vanish when they can never match', () =>
    expect(places('SecRule TX:a "@eq 1" "id:1,phase:2,deny,chain"\nSecRule ARGS "@rx ."')).toEqual([]));

  it('leave a gate alone that may be removed without the rules behind it', () => {
    const rules = `SecRule ARGS "@rx ." "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=2"
      SecRule &TX:none "@eq 0" "id:2,phase:2,pass,nolog,skipAfter:E"
      SecRule ARGS "@rx ." "id:3,phase:2,pass"
      SecMarker E`;
    expect(hitsOf(rules, { target: '/?a=1' })).toEqual([3]);
    expect(hitsOf(rules)).toEqual([]);
  });
});

/** A rule of a small language in which everything that folding reasons about occurs. */
const ruleText = fc
  .record({
    phase: fc.constantFrom(1, 2, 5),
    targets: fc.constantFrom('TX:a', 'TX:b', '&TX:c', '&TX:a', 'ARGS:x', 'TX:/^[ab]$/', 'TX:a|ARGS:x'),
    operator: fc.constantFrom('@eq 0', '@eq 1', '!@eq 1', '@ge %{tx.b}', '@rx 1', '@lt 2'),
    actions: fc.array(
      fc.constantFrom(
        'setvar:tx.a=1',
        'setvar:tx.a=+1',
        'setvar:tx.b=%{tx.a}',
        'setvar:!tx.c',
        'setvar:tx.c=0',
        'setvar:tx.%{MATCHED_VAR}b=1',
        'capture',
        'skipAfter:M',
        'skip:1',
        'nolog',
        'nolog',
        'log',
        'ctl:ruleRemoveById=3-4',
        'ctl:ruleRemoveByTag=even',
      ),
      { maxLength: 3 },
    ),
    chained: fc.boolean(),
    marked: fc.boolean(),
  })
  .map((rule) => (id: number) => {
    const tag = id % 2 === 0 ? ',tag:even' : '';
    const chain = rule.chained ? ',chain' : '';
    const link = rule.chained ? '\nSecRule TX:c|TX:a "@ge 0" "setvar:tx.c=+1"' : '';
    const marker = rule.marked ? '\nSecMarker M' : '';
    const actions = rule.actions.map((action) => `,${action}`).join('');
    return `SecRule ${rule.targets} "${rule.operator}" "id:${id},phase:${rule.phase},pass${tag}${actions}${chain}"${link}${marker}`;
  });

describe('folding', () => {
  it('changes nothing of what rules find and leave behind', () =>
    fc.assert(
      fc.property(
        fc.array(ruleText, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('/', '/?x=1', '/?x=0'),
        (rules, target) => {
          const text = rules.map((rule, at) => rule(at + 1)).join('\n');
          const show = `SecAction "id:99,phase:5,pass,log,msg:'m',logdata:'%{tx.a};%{tx.b};%{tx.c};%{tx.1b}'"`;
          // A first rule that may write anything, and reads everything, keeps the rest from being folded.
          const opaque = `SecRule ARGS:never "@rx ." "id:90,phase:1,pass,nolog,setvar:tx.%{MATCHED_VAR}=1,chain"\nSecRule TX "@rx ."`;
          const seen = (set: string) =>
            run(set, { target })
              .takeHits()
              .map(({ rule, data, count }) => `${rule} ${data} ${count}`);
          expect(seen(`${text}\n${show}`)).toEqual(seen(`${opaque}\n${text}\n${show}`));
        },
      ),
      { numRuns: 300 },
    ));
});
