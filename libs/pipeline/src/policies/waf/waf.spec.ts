import { someRoute } from '@sallyport/testkit';
import { compileRoute } from '../../compile';
import { inspectionOf, normaliserOf, waf } from './waf';

const settingsOf = (given: object): ReturnType<typeof waf.config.parse> => waf.config.parse(given);

describe('the inspection of a route', () => {
  it('is not made where it is switched off', () => {
    expect(inspectionOf(settingsOf({ mode: 'off' }), someRoute())).toBeUndefined();
  });

  it('blocks unless it is only to watch', () => {
    expect(inspectionOf(settingsOf({ mode: 'block' }), someRoute())?.blocks).toBe(true);
    expect(inspectionOf(settingsOf({ mode: 'detect' }), someRoute())?.blocks).toBe(false);
  });

  it.each([
    ['internal', {}, 'allow_flagged'],
    ['public', {}, 'deny'],
    ['regulated', {}, 'deny'],
    ['internal', { on_failure: 'deny' }, 'deny'],
    ['public', { on_failure: 'allow_flagged' }, 'allow_flagged'],
  ] as const)('of class %s with %p answers its own failure with %s', (routeClass, given, verdict) => {
    expect(inspectionOf(settingsOf(given), someRoute({ class: routeClass }))?.onFailure).toBe(verdict);
  });

  it.each([
    ['off', 'block', true],
    ['block', 'off', false],
  ] as const)('is that of the last policy which says one: %s, then %s', (first, last, isInspected) => {
    const policies = [first, last].map((mode) => ({ policy: 'waf', config: { mode } }));
    expect(compileRoute(someRoute({ policies })).inspection !== undefined).toBe(isInspected);
  });
});

describe('the bodies behind an inspection', () => {
  it.each([
    ['go on as they came', { mode: 'block' }, false],
    ['are written anew where the route asks for it', { mode: 'block', body: { normalise: true } }, true],
    ['stay as they are where the route only watches', { mode: 'detect', body: { normalise: true } }, false],
  ] as const)('%s', (_, given, isNormalised) => {
    expect(normaliserOf(settingsOf(given), someRoute()) !== undefined).toBe(isNormalised);
  });
});
