import type { VersionState } from '@sallyport/contracts';
import {
  defaultRules,
  isStepRefused,
  lifecycleEvents,
  newborn,
  step,
  stepsTo,
  type Life,
  type LifecycleEvent,
  type LifecycleStep,
} from './lifecycle';

const DAY = 86_400_000;
const now = Date.parse('2027-03-01T12:00:00Z');

const lives: Record<VersionState, Life> = {
  draft: newborn,
  published: { ...newborn, state: 'published', publishedAt: now - 300 * DAY },
  deprecated: {
    ...newborn,
    state: 'deprecated',
    publishedAt: now - 300 * DAY,
    deprecatedAt: now - 30 * DAY,
    sunsetAt: now + 60 * DAY,
    successor: 'v2',
  },
  sunset: {
    ...newborn,
    state: 'sunset',
    publishedAt: now - 300 * DAY,
    deprecatedAt: now - 100 * DAY,
    sunsetAt: now - DAY,
    successor: 'v2',
  },
  decommissioned: {
    ...newborn,
    state: 'decommissioned',
    publishedAt: now - 300 * DAY,
    deprecatedAt: now - 200 * DAY,
    sunsetAt: now - 100 * DAY,
    decommissionedAt: now - DAY,
  },
};

const steps: { [E in LifecycleEvent]: Extract<LifecycleStep, { event: E }> } = {
  edit: { event: 'edit' },
  publish: { event: 'publish' },
  deprecate: { event: 'deprecate', successor: 'v2', sunset: now + 120 * DAY },
  reinstate: { event: 'reinstate' },
  sunset: { event: 'sunset', by: 'admin', reason: 'leak' },
  decommission: { event: 'decommission', reason: 'nobody left' },
  remove: { event: 'remove' },
};

/** Where each event leads from each state; a dash: refused. */
const table: Record<VersionState, Record<LifecycleEvent, VersionState | '–'>> = {
  draft: {
    edit: 'draft',
    publish: 'published',
    deprecate: '–',
    reinstate: '–',
    sunset: '–',
    decommission: '–',
    remove: 'draft',
  },
  published: {
    edit: 'published',
    publish: '–',
    deprecate: 'deprecated',
    reinstate: '–',
    sunset: '–',
    decommission: '–',
    remove: '–',
  },
  deprecated: {
    edit: 'deprecated',
    publish: '–',
    deprecate: 'deprecated',
    reinstate: 'published',
    sunset: 'sunset',
    decommission: '–',
    remove: '–',
  },
  sunset: {
    edit: '–',
    publish: '–',
    deprecate: '–',
    reinstate: '–',
    sunset: '–',
    decommission: 'decommissioned',
    remove: '–',
  },
  decommissioned: {
    edit: '–',
    publish: '–',
    deprecate: '–',
    reinstate: '–',
    sunset: '–',
    decommission: '–',
    remove: '–',
  },
};

function take(life: Life, taken: LifecycleStep): Life {
  const outcome = step(life, taken, now, defaultRules);
  if (isStepRefused(outcome)) throw new Error(outcome.violations[0]?.detail ?? outcome.refusal.code);
  return outcome;
}

function faultOf(life: Life, taken: LifecycleStep): { code: string; pointer?: string } {
  const outcome = step(life, taken, now, defaultRules);
  if (!isStepRefused(outcome)) throw new Error(`${taken.event} was taken`);
  return { code: outcome.refusal.code, ...(outcome.violations[0] && { pointer: outcome.violations[0].pointer }) };
}

describe('the life of a version', () => {
  const cells = (Object.keys(table) as VersionState[]).flatMap((state) =>
    lifecycleEvents.map((event) => ({ state, event, next: table[state][event] })),
  );

  it.each(cells)('$state × $event → $next', ({ state, event, next }) => {
    const outcome = step(lives[state], steps[event], now, defaultRules);
    if (next === '–') {
      expect(outcome).toMatchObject({ refusal: { code: 'CATALOG_STATE_CONFLICT', params: { state, event } } });
    } else {
      expect(outcome).toMatchObject({ state: next });
    }
  });

  it('remembers when a version was published', () => {
    expect(take(newborn, steps.publish)).toEqual({ ...newborn, state: 'published', publishedAt: now });
  });

  it('deprecates with a successor or a reason, never with neither', () => {
    expect(faultOf(lives.published, { event: 'deprecate' })).toEqual({
      code: 'SCHEMA_VIOLATION',
      pointer: '/successor',
    });
    expect(take(lives.published, { event: 'deprecate', successor: 'v2' })).toMatchObject({
      successor: 'v2',
      reason: null,
    });
    expect(take(lives.published, { event: 'deprecate', reason: 'no longer sold' })).toMatchObject({ successor: null });
  });

  it('gives the notice when no sunset is named', () => {
    expect(take(lives.published, { event: 'deprecate', successor: 'v2' }).sunsetAt).toBe(now + 90 * DAY);
  });

  it('shortens the notice only for a reason', () => {
    const soon = { event: 'deprecate', successor: 'v2', sunset: now + 89 * DAY } as const;
    expect(faultOf(lives.published, soon)).toEqual({ code: 'SCHEMA_VIOLATION', pointer: '/reason' });
    expect(take(lives.published, { ...soon, reason: 'the vendor stops' })).toMatchObject({
      sunsetAt: now + 89 * DAY,
      reason: 'the vendor stops',
    });
  });

  it('asks for no reason where the end that was announced stays, or comes later, though the notice has run down', () => {
    const end = lives.deprecated.sunsetAt!;
    for (const sunset of [end, end + DAY]) {
      expect(take(lives.deprecated, { event: 'deprecate', successor: 'v3', sunset })).toMatchObject({
        sunsetAt: sunset,
      });
    }
    const sooner = { event: 'deprecate', at: now - 300 * DAY, sunset: end - DAY } as const;
    expect(faultOf(lives.deprecated, sooner)).toMatchObject({ pointer: '/reason' });
  });

  it('never ends a version before it was deprecated (RFC 9745)', () => {
    const past = { event: 'deprecate', reason: 'mistake', sunset: now - 1 } as const;
    expect(faultOf(lives.published, past)).toEqual({ code: 'SCHEMA_VIOLATION', pointer: '/sunset' });
    expect(faultOf(lives.published, { ...past, at: now + 1, sunset: now + 2 })).toMatchObject({
      pointer: '/deprecated',
    });
  });

  it('keeps the day of the deprecation when only the end moves', () => {
    expect(take(lives.deprecated, steps.deprecate)).toMatchObject({
      deprecatedAt: lives.deprecated.deprecatedAt,
      sunsetAt: now + 120 * DAY,
    });
  });

  it('forgets the end when a version is reinstated', () => {
    expect(take(lives.deprecated, steps.reinstate)).toEqual(lives.published);
  });

  it('ends by date when the date has come and not before', () => {
    expect(faultOf(lives.deprecated, { event: 'sunset', by: 'date' })).toMatchObject({ pointer: '/sunset' });
    const due = { ...lives.deprecated, sunsetAt: now };
    expect(take(due, { event: 'sunset', by: 'date' })).toMatchObject({ state: 'sunset', sunsetAt: now });
  });

  it('ends before its date only for a reason, and then at once', () => {
    expect(faultOf(lives.deprecated, { event: 'sunset', by: 'admin' })).toMatchObject({ pointer: '/reason' });
    expect(take(lives.deprecated, steps.sunset)).toMatchObject({ sunsetAt: now, reason: 'leak' });
  });

  it('decommissions only for a reason', () => {
    expect(faultOf(lives.sunset, { event: 'decommission' })).toMatchObject({ pointer: '/reason' });
    expect(take(lives.sunset, steps.decommission)).toMatchObject({ decommissionedAt: now });
  });
});

describe('a declared life', () => {
  const iso = (moment: number): string => new Date(moment).toISOString();

  it('publishes what is new and leaves the rest alone when nothing is declared', () => {
    expect(stepsTo(newborn, undefined, now)).toEqual([{ event: 'publish' }]);
    expect(stepsTo(lives.deprecated, undefined, now)).toEqual([]);
  });

  it.each([
    ['draft', null],
    ['published', null],
    ['deprecated', null],
    ['deprecated', 'moved'],
    ['sunset', null],
    ['sunset', 'moved'],
    ['decommissioned', 'moved'],
  ] as const)('can be built anew from its own description: %s, for the reason %s', (state, reason) => {
    const life = { ...lives[state], reason };
    const declared = {
      state,
      ...(life.deprecatedAt !== null && { deprecated: iso(life.deprecatedAt) }),
      ...(life.sunsetAt !== null && { sunset: iso(life.sunsetAt) }),
      ...(life.successor !== null && { successor: life.successor }),
      ...(life.reason !== null && { reason: life.reason }),
    };
    expect(stepsTo(life, declared, now)).toEqual([]);
    const planned = stepsTo(newborn, declared, now);
    if (isStepRefused(planned)) throw new Error(planned.refusal.code);
    const { publishedAt: _, decommissionedAt: __, ...rebuilt } = planned.reduce(take, newborn);
    expect(life).toMatchObject(rebuilt);
  });

  it('reinstates, but never goes back further', () => {
    expect(stepsTo(lives.deprecated, { state: 'published' }, now)).toEqual([{ event: 'reinstate' }]);
    expect(stepsTo(lives.sunset, { state: 'published' }, now)).toMatchObject({
      refusal: { code: 'CATALOG_STATE_CONFLICT' },
    });
    expect(stepsTo(lives.published, { state: 'draft' }, now)).toMatchObject({
      refusal: { code: 'CATALOG_STATE_CONFLICT' },
    });
  });

  it('moves the end of a deprecated version and of no other', () => {
    const declared = { state: 'deprecated', sunset: iso(now + 200 * DAY) } as const;
    expect(stepsTo(lives.deprecated, declared, now)).toEqual([{ event: 'deprecate', sunset: now + 200 * DAY }]);
    expect(stepsTo(lives.published, { ...declared, state: 'published' }, now)).toMatchObject({
      refusal: { code: 'SCHEMA_VIOLATION' },
    });
  });
});
