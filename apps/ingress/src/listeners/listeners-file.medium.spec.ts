import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { declarative } from '@sallyport/contracts';
import { ConfigError } from '@sallyport/platform';
import { parse } from 'yaml';
import { readListenersFile } from './listeners-file';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'sp-listeners-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string) {
  const path = join(folder, 'listeners.yaml');
  writeFileSync(path, text);
  return readListenersFile(path, '127.0.0.1');
}

describe('a file of listeners', () => {
  it('gives each listener its address, its TLS with absolute paths, and the default limits', () => {
    const [plain, secure] = read(`
- name: plain
  port: 8000
- name: secure
  host: 0.0.0.0
  port: 8443
  http2: true
  tls:
    certificates:
      - hosts: [api.example.com, '*.example.com']
        certificate: tls.crt
        key: tls.key
`);
    expect(plain).toMatchObject({ address: { host: '127.0.0.1', port: 8000 }, tls: undefined, http2: false });
    expect(plain!.limits.http2.streams).toBe(100);
    expect(secure).toMatchObject({
      address: { host: '0.0.0.0', port: 8443 },
      http2: true,
      tls: { minVersion: '1.2', clientCertificate: 'none', certificates: [{ key: join(folder, 'tls.key') }] },
    });
  });

  it.each([
    ['a mistyped member', '- {name: a, port: 1, tsl: {}}', /\[0\]: .*tsl/],
    ['two with one name', '- {name: a, port: 1}\n- {name: a, port: 2}', /\[1\]\.name: .*twice/],
    ['neither port nor path', '- {name: a}', /\[0\]\.port/],
    ['TLS without a certificate', '- {name: a, port: 1, tls: {certificates: []}}', /\[0\]\.tls\.certificates/],
    [
      'an old TLS',
      '- {name: a, port: 1, tls: {minVersion: "1.1", certificates: [{certificate: a, key: b}]}}',
      /\[0\]\.tls\.minVersion: write "1\.2" or "1\.3"/,
    ],
    [
      'client certificates that nobody can judge',
      '- {name: a, port: 1, tls: {clientCertificate: required, certificates: [{certificate: a, key: b}]}}',
      /\[0\]\.tls\.clientCa: is needed/,
    ],
    [
      'a limit above its ceiling',
      '- {name: a, port: 1, limits: {http2: {streams: 5000}}}',
      /\[0\]\.limits\.http2\.streams/,
    ],
    ['a map', 'listeners: []', /the file: a file of listeners is a list/],
    ['nothing', '', /the file/],
    ['what is no YAML', '- [', /is not YAML/],
    ['a tower of aliases', '- &a {name: a, port: 1}\n- *a', /./],
  ])('is refused, and the error names the member, for %s', (_, text, expected) => {
    expect(() => read(text)).toThrow(ConfigError);
    expect(() => read(text)).toThrow(expected);
    expect(() => read(text)).toThrow('SALLYPORT_INGRESS_LISTENERS_FILE');
  });

  it('is the one of the examples, whose services can be applied', () => {
    const examples = join(__dirname, '..', '..', '..', '..', 'examples', 'listeners');
    const named = readListenersFile(join(examples, 'listeners.yaml'), '127.0.0.1');
    expect(named.map(({ name, http2 }) => [name, http2])).toEqual([
      ['inside', true],
      ['public', true],
      ['partners', true],
    ]);
    const services = declarative.parse(parse(readFileSync(join(examples, 'services.yaml'), 'utf8')));
    expect(services.services.map(({ name, websocket }) => [name, websocket])).toEqual([
      ['live', true],
      ['shop', undefined],
    ]);
  });

  it('that is not there is said to be not there', () => {
    expect(() => readListenersFile(join(folder, 'none.yaml'), 'localhost')).toThrow(/cannot be read \(ENOENT\)/);
  });
});
