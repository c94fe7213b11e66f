import { compilePlan, compileRuleSet, Engine, planId, planWithout } from '@sallyport/waf';
import { headUnderTest } from '../../../../libs/waf/src/inspector.suite';
import { Programs } from './programs';

const text = [
  `SecRule ARGS "@contains one" "id:1,phase:2,deny,status:403,t:none,tag:'first'"`,
  `SecRule ARGS "@contains two" "id:2,phase:2,deny,status:403,t:none,tag:'second'"`,
  `SecAction "id:3,phase:1,pass,nolog,setvar:tx.set_up=1"`,
].join('\n');

let now = Date.parse('2026-11-28T12:00:00Z');

function programs() {
  const ruleSet = compileRuleSet({ files: [{ name: 'own.conf', text }], read: () => undefined });
  const made = jest.spyOn(ruleSet, 'adjusted');
  return { made, programs: new Programs(ruleSet, { name: 'own', ownMethods: true }, { now: () => now }) };
}

const plain = planId({ profile: 'json-api' });
const withoutOne = planWithout(plain, [{ rule: 1, reason: 'killed', expires: '2026-11-28T13:00:00Z' }]);
const turn = () => new Promise(setImmediate);

/** @returns whether a plan refuses what rule 1 finds, and what rule 2 does */
async function verdicts(of: Programs, plan: string): Promise<boolean[]> {
  const rules = of.of(compilePlan(plan));
  const engine = new Engine({ rules: () => rules, now: () => now, used: () => 0 });
  const ask = (query: string) =>
    new Promise<boolean>((resolve) =>
      engine.open({ head: headUnderTest({ query }), plan, tenant: '', requestId: '' }, ({ verdict }) =>
        resolve(verdict === 'refuse'),
      ),
    );
  return [await ask('q=one'), await ask('q=two')];
}

describe('programs of a rule set', () => {
  it('are made once for all plans that differ in nothing a rule sees', () => {
    const { made, programs: all } = programs();
    const held = planId({ profile: 'json-api', response: { hold: '4KiB' } });
    expect(all.of(compilePlan(plain))).toBe(all.of(compilePlan(held)));
    expect(made).toHaveBeenCalledTimes(1);
  });

  it('go on without a killed rule at once, and nothing is compiled while a request waits', async () => {
    const { made, programs: all } = programs();
    const before = all.of(compilePlan(plain));
    const standIn = all.of(compilePlan(withoutOne));
    expect([standIn.program === before.program, made.mock.calls.length]).toEqual([true, 1]);
    expect(all.of(compilePlan(withoutOne))).toBe(standIn);

    await turn();
    const own = all.of(compilePlan(withoutOne));
    expect([own.program === before.program, own.removed, made.mock.calls.length]).toEqual([false, undefined, 2]);
    expect(own.program.phase(2).rules.map(({ id }) => id)).toEqual([2]);
  });

  it('say the same before and after they are made', async () => {
    const { programs: all } = programs();
    expect(await verdicts(all, plain)).toEqual([true, true]);
    const standIn = all.of(compilePlan(withoutOne));
    expect(standIn.removed).toBeDefined();
    const first = verdicts(all, withoutOne);
    expect(await first).toEqual([false, true]);
    await turn();
    expect(await verdicts(all, withoutOne)).toEqual([false, true]);
    expect(await verdicts(all, plain)).toEqual([true, true]);
  });

  it.each([
    ['a tag', { tag: 'second' }, [true, false]],
    ['a range', { rule: '1-2' }, [false, false]],
    ['every rule', { rule: '1-99999999' }, [false, false]],
  ])('stand in without %s', async (_, kill, expected) => {
    const { programs: all } = programs();
    all.of(compilePlan(plain));
    const without = planWithout(plain, [{ ...kill, reason: 'killed' }]);
    expect(all.of(compilePlan(without)).removed).toBeDefined();
    expect(await verdicts(all, without)).toEqual(expected);
  });

  it('are made one in a turn, however many plans a kill changes', async () => {
    const { made, programs: all } = programs();
    const profiles = ['form', 'json-api', 'own'] as const;
    const plans = profiles.map((profile) => planId({ profile, paranoia: { block: profile.length % 4 || 1 } }));
    for (const plan of plans) all.of(compilePlan(plan));
    const before = made.mock.calls.length;
    for (const plan of plans) all.of(compilePlan(planWithout(plan, [{ rule: 1, reason: 'killed' }])));
    const counts = [];
    for (let at = 0; at < 3; at++) {
      counts.push(made.mock.calls.length - before);
      await turn();
    }
    expect(counts).toEqual([0, 1, 2]);
  });

  it('have a rule back when its kill is over, without compiling anything', async () => {
    const { made, programs: all } = programs();
    all.of(compilePlan(plain));
    all.of(compilePlan(withoutOne));
    await turn();
    all.of(compilePlan(withoutOne));
    const before = made.mock.calls.length;
    now += 3_600_000;
    expect(await verdicts(all, withoutOne)).toEqual([true, true]);
    expect(made.mock.calls.length).toBe(before);
    now -= 3_600_000;
  });
});
