import { isMeantForUs } from './host-check';

function meant(host: string | undefined, origin?: string, names: string[] = [], localAddress = '127.0.0.1'): boolean {
  return isMeantForUs({ host, origin, localAddress }, names);
}

describe('the admin door', () => {
  it.each(['localhost', 'localhost:8080', 'LOCALHOST:8080', '127.0.0.1:8080', '[::1]:8080', 'localhost.:8080'])(
    'answers for the loopback name %s',
    (host) => expect(meant(host)).toBe(true),
  );

  it('answers for its own address, also when IPv4 arrives mapped into IPv6', () => {
    expect(meant('10.1.2.3:8080', undefined, [], '10.1.2.3')).toBe(true);
    expect(meant('10.1.2.3:8080', undefined, [], '::ffff:10.1.2.3')).toBe(true);
    expect(meant('[fd00::5]:8080', undefined, [], 'fd00::5')).toBe(true);
    expect(meant('10.1.2.4:8080', undefined, [], '10.1.2.3')).toBe(false);
  });

  it('answers for the names it was told, and for no other', () => {
    expect(meant('admin.example:443', undefined, ['admin.example'])).toBe(true);
    expect(meant('rebound.example:8080', undefined, ['admin.example'])).toBe(false);
  });

  it.each([
    undefined,
    '',
    'localhost@evil.example',
    'localhost evil',
    'localhost:x',
    'localhost/..',
    '127.0.0.1.evil.example',
  ])('does not answer for %p', (host) => expect(meant(host)).toBe(false));

  it('takes a browser only from its own pages', () => {
    expect(meant('localhost:8080', 'http://localhost:8080')).toBe(true);
    expect(meant('localhost:80', 'http://localhost')).toBe(true);
    expect(meant('localhost:8080', 'http://localhost:3000')).toBe(false);
    expect(meant('localhost:8080', 'http://evil.example')).toBe(false);
    expect(meant('localhost:8080', 'null')).toBe(false);
    expect(meant('localhost:8080', 'file://')).toBe(false);
  });

  it('takes the origin behind a proxy that changes Host when it was told the name', () => {
    expect(meant('catalog:8080', 'https://admin.example', ['catalog', 'admin.example'])).toBe(true);
  });
});
