import type { SnapshotRoute, WafExclusion } from '@sallyport/contracts';
import { ExpiredExclusions, type ExpiredExclusion } from './expired-exclusions';

const DAY = '2027-03-31';
const END = Date.parse('2027-04-01T00:00:00Z');

function routes(...exclude: WafExclusion[]): { routes: SnapshotRoute[] } {
  const route = { id: 'shop/v1/all', policies: [], waf: { exclude } };
  return { routes: [route as unknown as SnapshotRoute] };
}

describe('exclusions that end', () => {
  let now: number;
  let told: ExpiredExclusion[];
  let expired: ExpiredExclusions;

  beforeEach(() => {
    now = END - 1;
    told = [];
    expired = new ExpiredExclusions({ now: () => now }, (one) => told.push(one));
  });
  afterEach(() => expired.close());

  const quiet = { rule: 942190, target: 'ARGS:q', reason: 'prose', expires: DAY };

  it('are told once when their day is over, and are listed while a route has them', () => {
    expired.follow(routes(quiet, { tag: 'attack-sqli', reason: 'for good' }));
    expect([told, expired.list]).toEqual([[], []]);
    now = END;
    expired.look();
    expired.look();
    expect(told).toEqual([
      {
        route: 'shop/v1/all',
        what: '942190',
        target: 'ARGS:q',
        reason: 'prose',
        expired: '2027-04-01T00:00:00.000Z',
      },
    ]);
    expired.follow(routes(quiet));
    expect([told.length, expired.list.length]).toEqual([1, 1]);
    expired.follow(routes());
    expect(expired.list).toEqual([]);
  });

  it('are told again when they come back', () => {
    now = END;
    for (const configuration of [routes(quiet), routes(), routes(quiet)]) expired.follow(configuration);
    expect(told).toHaveLength(2);
  });

  it('name a range, or a tag', () => {
    now = END;
    expired.follow(
      routes(
        { rule: '942000-942999', reason: 'prose', expires: DAY },
        { tag: 'attack-xss', reason: 'pages', expires: DAY },
      ),
    );
    expect(told.map(({ what, target }) => [what, target])).toEqual([
      ['942000-942999', null],
      ['tag:attack-xss', null],
    ]);
  });
});
