import type { SnapshotRoute } from '@sallyport/contracts';
import { compileRoute } from '@sallyport/pipeline';
import { someRoute } from '@sallyport/testkit';
import { plansOf } from './plans-of';

const shapes: readonly (readonly [string, Partial<SnapshotRoute>])[] = [
  ['says nothing', {}],
  ['says how it is inspected', { waf: { profile: 'json-api', paranoia: { detect: 2, block: 1 } } }],
  ['is not inspected', { waf: { mode: 'off' } }],
  ['has limits that an inspection keeps', { limits: { jsonDepth: 7, bodyBytes: 1_000_000 } }],
  [
    'is told more by a policy',
    {
      waf: { mode: 'detect', exclude: [{ rule: 942_100, reason: 'searches for SQL' }] },
      policies: [{ policy: 'waf', config: { mode: 'block', exclude: [{ tag: 'attack-rce', reason: 'a shell' }] } }],
    },
  ],
];

it.each(shapes)('knows by which plan the ingress has a route inspected that %s', (_, shape) => {
  const route = someRoute(shape);
  expect(plansOf({ routes: [route] })).toEqual([compileRoute(route).inspection?.plan ?? 'off']);
});

it('names a plan once, however many routes have it', () => {
  expect(plansOf({ routes: [someRoute(), someRoute(), someRoute({ waf: { mode: 'detect' } })] })).toEqual([
    'structural:block',
    'structural:detect',
  ]);
});
