import { copyFileSync, utimesSync } from 'node:fs';
import { TestCertificates } from '@sallyport/testkit';
import { Certificates } from './certificates';

const DAY_MS = 86_400_000;

const files = new TestCertificates();
beforeAll(() => {
  files.authority('ca');
  for (const name of ['api', 'shop', 'renewed'])
    files.issue(name, 'ca', [`${name}.example.com`], name === 'renewed' ? 60 : 30);
});
beforeEach(() => ['api', 'shop'].forEach((name) => replace(name, name)));
afterAll(() => files.remove());

let stamp = 1000;
function replace(name: string, by: string): void {
  stamp += 10;
  for (const kind of ['crt', 'key']) {
    copyFileSync(files.path(`${by}.${kind}`), files.path(`live-${name}.${kind}`));
    utimesSync(files.path(`live-${name}.${kind}`), stamp, stamp);
  }
}

function certificatesAt(clock: { now: number }): Certificates {
  const certificates = ['api', 'shop'].map((name) => ({
    hosts: [`${name}.example.com`],
    certificate: files.path(`live-${name}.crt`),
    key: files.path(`live-${name}.key`),
  }));
  return new Certificates({ certificates, minVersion: '1.2', clientCertificate: 'none' }, () => clock.now);
}

const lasts = (certificates: Certificates, clock: { now: number }) =>
  certificates.installed.map(({ name, notAfter }) => [name, notAfter > clock.now]);

describe('a certificate that has expired', () => {
  it('is served by a process that starts with it: what else is served must not end with it', () => {
    const clock = { now: Date.now() + 40 * DAY_MS };
    replace('shop', 'renewed');
    expect(lasts(certificatesAt(clock), clock)).toEqual([
      ['api.example.com', false],
      ['shop.example.com', true],
    ]);
  });

  it('keeps no other from being renewed', () => {
    const clock = { now: Date.now() };
    const certificates = certificatesAt(clock);
    clock.now += 40 * DAY_MS;
    replace('shop', 'renewed');
    expect(certificates.refresh()).toBe(true);
    expect(lasts(certificates, clock)).toEqual([
      ['api.example.com', false],
      ['shop.example.com', true],
    ]);
  });

  it('never takes the place of one that is good', () => {
    const clock = { now: Date.now() + 40 * DAY_MS };
    replace('api', 'renewed');
    const certificates = certificatesAt(clock);
    replace('api', 'api');
    expect(() => certificates.refresh()).toThrow(/certificates\[0\]\.certificate: has expired on/);
    expect(lasts(certificates, clock)[0]).toEqual(['api.example.com', true]);
  });
});
