import { someRoute } from '@sallyport/testkit';
import { compileRoute } from '../../compile';
import { loadShedding } from './load-shedding';

describe('shedding load', () => {
  const carrying = (...priorities: string[]): ReturnType<typeof compileRoute> =>
    compileRoute(
      someRoute({ policies: priorities.map((priority) => ({ policy: 'load-shedding', config: { priority } })) }),
    );

  it('gives a route its priority, the last policy counting', () => {
    expect([carrying().priority, carrying('low').priority, carrying('low', 'high').priority]).toEqual([
      'normal',
      'low',
      'high',
    ]);
  });

  it('wins over what the route says itself', () => {
    const route = someRoute({ priority: 'high' });
    expect(compileRoute(route).priority).toBe('high');
    const policies = [{ policy: 'load-shedding', config: { priority: 'low' } }];
    expect(compileRoute({ ...route, policies }).priority).toBe('low');
  });

  it('adds no hook: who is turned away is turned away before any of them', () => {
    const compiled = carrying('low');
    expect([compiled.admit, compiled.authorised, compiled.settle]).toEqual([[], [], []]);
  });

  it('knows three priorities', () => {
    expect(loadShedding.config.safeParse({ priority: 'urgent' }).success).toBe(false);
  });
});
