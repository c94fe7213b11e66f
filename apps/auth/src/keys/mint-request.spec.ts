import { expiryOf, mintRequest } from './mint-request';

const NOW = Date.UTC(2030, 0, 1);

describe('a wish for a key', () => {
  it('K10 that names neither rate nor budget gets the defaults, filled in', () => {
    expect(mintRequest.parse({ name: 'shop' })).toEqual({
      name: 'shop',
      scopes: [],
      services: ['*'],
      models: ['*'],
      cidrs: [],
      rate: { limit: 60, window: '60s' },
      budgetUsdPerMonth: '5',
    });
  });

  it.each([
    ['rate', null],
    ['rate', 'unlimited'],
    ['rate', { limit: 0 }],
    ['rate', { limit: -1 }],
    ['rate', { limit: 1e9 }],
    ['rate', { limit: 1.5 }],
    ['rate', { limit: 10, window: '0s' }],
    ['rate', { limit: 10, window: '500ms' }],
    ['rate', { limit: 10, window: '2d' }],
    ['budgetUsdPerMonth', null],
    ['budgetUsdPerMonth', 'unlimited'],
    ['budgetUsdPerMonth', 5],
    ['budgetUsdPerMonth', '0'],
    ['budgetUsdPerMonth', '-1'],
    ['budgetUsdPerMonth', '1000000.01'],
    ['budgetUsdPerMonth', 'Infinity'],
    ['budgetUsdPerMonth', '1e3'],
  ])('K10 an explicit %s of %j is refused', (member, value) => {
    expect(mintRequest.safeParse({ name: 'shop', [member]: value }).success).toBe(false);
  });

  it.each(['role', 'owner', 'tenant', 'kid'])('K3 %s is never taken from a body', (member) => {
    expect(mintRequest.safeParse({ name: 'shop', [member]: 'admin' }).success).toBe(false);
  });

  it('reads ranges, and names what is wrong with one', () => {
    expect(mintRequest.parse({ name: 'shop', cidrs: ['192.0.2.0/24', '2001:db8::/32'] }).cidrs).toHaveLength(2);
    const { error } = mintRequest.safeParse({ name: 'shop', cidrs: ['192.0.2.1/24'] });
    expect(error?.issues).toMatchObject([{ path: ['cidrs', 0], message: 'bits are set behind the prefix' }]);
  });

  it('ends after 90 days unless it says otherwise, and within a year always', () => {
    const days = (count: number) => ({ at: new Date(NOW + count * 86_400_000) });
    expect(expiryOf({}, NOW)).toEqual(days(90));
    expect(expiryOf({ expiresIn: '365d' }, NOW)).toEqual(days(365));
    expect(expiryOf({ expiresAt: '2030-01-02T01:00:00+01:00' }, NOW)).toEqual(days(1));
    for (const wish of [
      { expiresIn: '366d' },
      { expiresIn: '0s' },
      { expiresAt: '2029-12-31T23:59:59Z' },
      { expiresAt: '2031-01-02T00:00:00Z' },
      { expiresIn: '1d', expiresAt: '2030-01-02T00:00:00Z' },
    ]) {
      expect(expiryOf(wish, NOW)).toHaveProperty('problem');
    }
  });
});
