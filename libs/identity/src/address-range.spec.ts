import { isWithin, parseAddressRange } from './address-range';

const within = (ranges: string[], address: string) => isWithin(ranges.map(parseAddressRange), address);

describe('address ranges', () => {
  it.each([
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['::/0', '::1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
  ])('%s holds %s: %s', (range, address, expected) => {
    expect(within([range], address)).toBe(expected);
  });

  it('count an IPv4 address mapped into IPv6 as IPv4', () => {
    expect(within(['192.0.2.0/24'], '::ffff:192.0.2.7')).toBe(true);
    expect(within(['192.0.2.0/24'], '::ffff:c000:207')).toBe(true);
    expect(within(['::/0'], '::ffff:192.0.2.7')).toBe(false);
  });

  it.each([
    '',
    '192.0.2',
    '192.0.2.0/33',
    '192.0.2.1/24',
    '192.0.02.1',
    '1.2.3.4/8/9',
    '2001::db8::1',
    ':::',
    '1:2:3:4:5:6:7',
    '/8',
    'all',
  ])('refuse %s', (text) => {
    expect(() => parseAddressRange(text)).toThrow(RangeError);
  });

  it('hold nothing that is not an address', () => {
    for (const address of ['', 'localhost', '999.1.1.1', '1::2::3', 'g::'])
      expect(within(['0.0.0.0/0', '::/0'], address)).toBe(false);
  });
});
