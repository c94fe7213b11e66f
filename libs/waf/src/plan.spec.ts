import { compilePlan, excludesRule, planId, planIds, planWithout, responseInspection } from './plan';
import { profiles } from './profile';

describe('a plan', () => {
  it('has a short text for each profile and mode, and one for off', () => {
    expect(planId({})).toBe('structural:block');
    expect(planId({ profile: 'llm', mode: 'detect' })).toBe('llm:detect');
    expect(planId({ profile: 'llm', mode: 'off', paranoia: { block: 2 } })).toBe('off');
    expect(planIds).toContain('graphql:detect');
    for (const id of planIds) expect(compilePlan(id).id).toBe(id);
  });

  it('says in its text what differs, in one order, and reads it back', () => {
    const one = planId({ paranoia: { detect: 2 }, body: { inspect: '64KiB' }, ruleset: 'crs-4.28.0' });
    const other = planId({ ruleset: 'crs-4.28.0', body: { inspect: '64KiB' }, paranoia: { detect: 2 } });
    expect(one).toBe(other);
    expect(compilePlan(one)).toMatchObject({
      mode: 'block',
      ruleset: 'crs-4.28.0',
      paranoia: { detect: 2, block: 1 },
      body: { inspectBytes: 65_536, strict: true },
    });
    expect(compilePlan(one)).toBe(compilePlan(one));
  });

  it('keeps the limits of a route that an inspection knows', () => {
    const id = planId({}, { jsonDepth: 3, multipartParts: 2, bodyBytes: 5 });
    expect(id).toBe('structural:block:{"limits":{"jsonDepth":3,"multipartParts":2}}');
    expect(compilePlan(id).limits).toMatchObject({ json: { depth: 3, keys: 10_000 }, multipart: { parts: 2 } });
    expect(planId({ profile: 'llm', mode: 'detect' }, { bodyBytes: 5 })).toBe('llm:detect');
  });

  it.each([
    '',
    'of-a-newer-catalog',
    'unknown:block',
    'structural:block:{',
    'structural:block:{"paranoia":{"block":9}}',
  ])('that cannot be read inspects no less than the strictest: %s', (id) =>
    expect(compilePlan(id)).toBe(compilePlan('structural:block')),
  );

  it('sees what it refuses', () => expect(compilePlan(planId({ paranoia: { block: 3 } })).paranoia?.detect).toBe(3));

  it('tells whether answers are inspected, and how long they are held', () => {
    expect(responseInspection('structural:block')).toBeUndefined();
    expect(responseInspection('off')).toBeUndefined();
    const settings = { response: { inspect: true, hold: '4KiB' } };
    expect(responseInspection(planId(settings))).toEqual({ blocks: true, holdBytes: 4096 });
    expect(responseInspection(planId({ ...settings, mode: 'detect' }))?.blocks).toBe(false);
  });

  it('has answers in plain text, HTML and XML inspected, and what a route names beside', () => {
    const { response } = compilePlan(planId({ response: { inspect: true, types: ['application/json'] } }));
    expect(response.types).toEqual(['text/plain', 'text/html', 'text/xml', 'application/json']);
  });

  it('brings the exclusions of its profile, then those of the route, with the end of their day', () => {
    const exclude = [{ tag: 'attack-sqli', target: 'ARGS:q', reason: 'prose', expires: '2027-03-31' }];
    const { exclusions } = compilePlan(planId({ profile: 'graphql', exclude }));
    expect(exclusions[0]!.target).toBe(profiles.graphql.exclusions[0]!.target);
    expect(exclusions).toHaveLength(profiles.graphql.exclusions.length + 1);
    expect(exclusions.at(-1)).toMatchObject({ tag: 'attack-sqli', expires: Date.UTC(2027, 3, 1) });
  });

  it('is without rules that were killed, and keeps what it excludes itself', () => {
    const kills = [{ rule: 942_100, reason: 'killed', expires: '2027-03-31T12:00:00Z' }];
    const plain = planWithout('structural:block', kills);
    expect(compilePlan(plain)).toMatchObject({ mode: 'block', killed: [{ rules: { from: 942_100 } }], exclusions: [] });
    const own = planId({ mode: 'detect', exclude: [{ tag: 'attack-rce', reason: 'why' }] }, { jsonDepth: 3 });
    const both = compilePlan(planWithout(own, kills));
    expect([...both.exclusions, ...both.killed].map(({ tag, rules }) => tag ?? rules?.from)).toEqual([
      'attack-rce',
      942_100,
    ]);
    expect(both.limits.json.depth).toBe(3);
    expect([planWithout('off', kills), planWithout(own, [])]).toEqual(['off', own]);
  });

  it('is without rules that were killed also where it has as many exclusions as it may have', () => {
    const exclude = Array.from({ length: 512 }, (_, rule) => ({ rule: rule + 1, reason: 'why' }));
    const plan = compilePlan(planWithout(planId({ exclude }), [{ rule: 942_100, reason: 'killed' }]));
    expect([plan.exclusions.length, plan.killed.length]).toEqual([512, 1]);
  });

  it('knows which rules an exclusion means as a whole', () => {
    const [range, tagged, targeted] = compilePlan(
      planId({
        exclude: [
          { rule: '942000-942999', reason: 'why' },
          { tag: 'attack-rce', reason: 'why' },
          { rule: 1, target: 'ARGS', reason: 'why' },
        ],
      }),
    ).exclusions.slice(-3);
    expect(excludesRule(range!, 942_100, [])).toBe(true);
    expect(excludesRule(range!, 941_100, [])).toBe(false);
    expect(excludesRule(tagged!, 1, ['attack-rce'])).toBe(true);
    expect(excludesRule(targeted!, 1, [])).toBe(false);
  });
});
