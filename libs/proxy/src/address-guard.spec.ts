import { unwrapAddress } from './address';
import { AddressNotAllowed, classifyAddress, guardedLookup, isAddressAllowed, type Lookup } from './address-guard';

describe('classifyAddress', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['64:ff9b::808:808', 'public'],
    ['10.1.2.3', 'private'],
    ['100.64.0.1', 'private'],
    ['127.0.0.1', 'private'],
    ['127.255.255.254', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.0.1', 'private'],
    ['::1', 'private'],
    ['::ffff:127.0.0.1', 'private'],
    ['::ffff:7f00:1', 'private'],
    ['0:0:0:0:0:ffff:0a00:0001', 'private'],
    ['64:ff9b::a00:1', 'private'],
    ['fd12::1', 'private'],
    ['169.254.169.254', 'forbidden'],
    ['::ffff:169.254.169.254', 'forbidden'],
    ['::ffff:a9fe:a9fe', 'forbidden'],
    ['64:ff9b::a9fe:a9fe', 'forbidden'],
    ['fd00:ec2::254', 'forbidden'],
    ['fd20:ce::254', 'forbidden'],
    ['100.100.100.200', 'forbidden'],
    ['100.100.100.201', 'private'],
    ['168.63.129.16', 'forbidden'],
    ['64:ff9b::168.63.129.16', 'forbidden'],
    ['fe80::1', 'forbidden'],
    ['fe80::1%eth0', 'forbidden'],
    ['::', 'forbidden'],
    ['::127.0.0.1', 'forbidden'],
    ['2002:7f00:1::', 'forbidden'],
    ['2001:0:7f00:1::', 'forbidden'],
    ['ff02::1', 'forbidden'],
    ['0.0.0.0', 'forbidden'],
    ['0.1.2.3', 'forbidden'],
    ['224.0.0.1', 'forbidden'],
    ['255.255.255.255', 'forbidden'],
    ['2130706433', 'forbidden'],
    ['0x7f.1', 'forbidden'],
    ['', 'forbidden'],
  ])('%s is %s', (address, expected) => expect(classifyAddress(address)).toBe(expected));

  it('opens private addresses only where the operator said so, and forbidden ones never', () => {
    expect(isAddressAllowed('127.0.0.1', false)).toBe(false);
    expect(isAddressAllowed('127.0.0.1', true)).toBe(true);
    expect(isAddressAllowed('169.254.169.254', true)).toBe(false);
    expect(isAddressAllowed('8.8.8.8', false)).toBe(true);
  });
});

describe('guardedLookup', () => {
  const answering =
    (...addresses: string[]): Lookup =>
    (_, __, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );

  it('hands out only what is allowed, so that the socket cannot fall back to the rest', () => {
    const answer = jest.fn();
    guardedLookup(answering('10.0.0.1', '8.8.8.8'), false)('name', { all: true }, answer);
    expect(answer).toHaveBeenCalledWith(null, [{ address: '8.8.8.8', family: 4 }]);
    guardedLookup(answering('10.0.0.1', '8.8.8.8'), false)('name', {}, answer);
    expect(answer).toHaveBeenLastCalledWith(null, '8.8.8.8', 4);
  });

  it('refuses a name that leads nowhere allowed', () => {
    const answer = jest.fn();
    guardedLookup(answering('10.0.0.1'), false)('name', { all: true }, answer);
    expect(answer.mock.calls[0][0]).toBeInstanceOf(AddressNotAllowed);
  });
});

describe('unwrapAddress', () => {
  it('knows an IPv4 address in whatever clothes, and leaves others alone', () => {
    expect(unwrapAddress('::FFFF:c000:201')).toBe('192.0.2.1');
    expect(unwrapAddress('192.0.2.1')).toBe('192.0.2.1');
    expect(unwrapAddress('2001:db8::1')).toBe('2001:db8::1');
  });
});
