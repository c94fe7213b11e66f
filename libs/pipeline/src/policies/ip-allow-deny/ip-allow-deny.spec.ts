import fc from 'fast-check';
import { isRefusal } from '@sallyport/contracts';
import { policyInput } from '@sallyport/testkit';
import { servicesWithoutMemory } from '../../policy-services';
import { ipAllowDeny } from './ip-allow-deny';
import { parseAddress, parseRange, PrefixTree, type AddressRange, type AddressWords } from './prefix-tree';

function served(given: object, clientAddress: string): boolean {
  const { exchange, request } = policyInput({ clientAddress });
  const hooks = ipAllowDeny.compile(ipAllowDeny.config.parse(given), exchange.route, servicesWithoutMemory);
  return !isRefusal(hooks.admit!({ request, exchange }));
}

describe('allowed and denied addresses', () => {
  const given = {
    allow: ['192.0.2.0/24', '2001:db8::/32', '::ffff:198.51.100.0/120'],
    deny: ['192.0.2.66', '2001:db8:bad::/48'],
  };

  it.each([
    ['192.0.2.1', true],
    ['192.0.3.1', false],
    ['192.0.2.66', false],
    ['2001:db8::1', true],
    ['2001:DB8:0:0::1', true],
    ['2001:db8:bad:1::1', false],
    ['2001:db9::1', false],
    ['::ffff:192.0.2.1', true],
    ['::ffff:c000:201', true],
    ['::ffff:192.0.2.66', false],
    ['198.51.100.7', true],
    ['fe80::1%eth0', false],
    ['', false],
  ])('judge %p: %p', (address, expected) => {
    expect(served(given, address)).toBe(expected);
  });

  it('serve everyone who is not denied where nobody is named', () => {
    expect([served({ deny: ['0.0.0.0/0'] }, '192.0.2.1'), served({ deny: ['0.0.0.0/0'] }, '2001:db8::1')]).toEqual([
      false,
      true,
    ]);
  });

  it.each([
    '192.0.2.1/24',
    '192.0.2.0/33',
    '192.0.2',
    '2001:db8::/129',
    '2001:db8::1/32',
    '1:2:3::4::5',
    'x',
    '01.2.3.4',
    '::1%lo',
  ])('refuse to be configured with %s', (range) => {
    expect(ipAllowDeny.config.safeParse({ allow: [range] }).success).toBe(false);
  });
});

describe('the tree of prefixes', () => {
  // Few distinct high bits, so that ranges hold each other and addresses hit them.
  const word = fc.oneof(
    fc.nat(7).map((value) => (value << 29) >>> 0),
    fc.integer({ min: 0, max: 0xffffffff }),
  );
  const address = fc.oneof(
    fc.tuple(word),
    fc.tuple(word, word, fc.constantFrom(0, 1), fc.constantFrom(0, 0xffffffff)),
  ) as fc.Arbitrary<AddressWords>;
  const range = fc.tuple(address, fc.nat(128)).map(([words, wanted]): AddressRange => {
    const bits = Math.min(wanted, words.length * 32);
    return { bits, words: words.map((value, at) => masked(value, bits - at * 32)) };
  });

  it('says what going through all ranges would say', () => {
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 30 }),
        fc.array(address, { minLength: 1, maxLength: 30 }),
        (ranges, asked) => {
          const tree = new PrefixTree(ranges);
          for (const one of asked) expect(tree.has(one)).toBe(ranges.some((candidate) => holds(candidate, one)));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('holds the first and the last address of every range', () => {
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 30 }), (ranges) => {
        const tree = new PrefixTree(ranges);
        for (const { words, bits } of ranges) {
          expect(tree.has(words)).toBe(true);
          expect(tree.has(words.map((value, at) => (value | ~maskFor(bits - at * 32)) >>> 0))).toBe(true);
        }
      }),
    );
  });

  it('reads every spelling of an address as the same address', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const words = parseAddress(text);
        expect(words).toBeDefined();
        if (words!.length !== 4) return;
        const groups = words!.flatMap((value) => [value >>> 16, value & 0xffff]);
        expect(parseAddress(groups.map((group) => group.toString(16).toUpperCase()).join(':'))).toEqual(words);
      }),
    );
  });

  it('takes ten thousand ranges and still answers in a few steps', () => {
    const ranges = Array.from({ length: 10_000 }, (_, at) => parseRange(`10.${at >> 8}.${at & 255}.0/24`)!);
    const tree = new PrefixTree(ranges);
    expect(tree.has(parseAddress('10.39.15.9')!)).toBe(true);
    expect(tree.has(parseAddress('10.39.16.9')!)).toBe(false);
  });
});

function maskFor(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : ~(0xffffffff >>> bits);
}

function masked(value: number, bits: number): number {
  return (value & maskFor(bits)) >>> 0;
}

function holds({ words, bits }: AddressRange, address: AddressWords): boolean {
  return words.length === address.length && address.every((value, at) => masked(value, bits - at * 32) === words[at]);
}
