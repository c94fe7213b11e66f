import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { variables } from '@sallyport/contracts';
import * as fc from 'fast-check';
import { ConfigError, defineConfig, flag, integer, port, ratio, text, url, variable } from './config';

const readCatalog = defineConfig('catalog', {
  httpPort: variable('SALLYPORT_CATALOG_HTTP_PORT', port),
  hosts: variable('SALLYPORT_ADMIN_HOSTS', text.optional()),
});
const readAuth = defineConfig('auth', { token: variable('SALLYPORT_ADMIN_TOKEN', text) });

function failureOf(read: () => unknown): ConfigError {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the config was accepted');
}

describe('a config', () => {
  it('has the defaults of the table of variables', () => {
    expect(readCatalog({})).toMatchObject({
      app: 'catalog',
      host: '127.0.0.1',
      dataDir: resolve('data'),
      spoolDir: resolve('data/spool'),
      logLevel: 'info',
      publicUrl: 'http://127.0.0.1:8000',
      traceRatio: 0.1,
      httpPort: 8080,
      hosts: undefined,
      natsUrl: undefined,
    });
  });

  it('takes an empty variable for an unset one, as compose files pass it on', () => {
    expect(readCatalog({ SALLYPORT_ADMIN_HOSTS: '', SALLYPORT_CATALOG_HTTP_PORT: '' })).toMatchObject({
      httpPort: 8080,
    });
  });

  it('derives the public URL from the port of the data door', () => {
    expect(readCatalog({ SALLYPORT_INGRESS_HTTP_PORT: '8123' }).publicUrl).toBe('http://127.0.0.1:8123');
  });

  it('ignores what another application owns', () => {
    expect(() => readCatalog({ SALLYPORT_PEPPER: 'x', SALLYPORT_KEY: 'y', HOME: '/' })).not.toThrow();
  });

  it.each([
    ['SALLYPORT_CATALOG_HTTP_PORT', '80800', 'is "80800": expected a port from 1 to 65535'],
    ['SALLYPORT_CATALOG_HTTP_PORT', '0', 'is "0": expected a port from 1 to 65535'],
    ['SALLYPORT_TRACE_RATIO', '2', 'is "2": expected a number from 0 to 1'],
    ['SALLYPORT_LOG_LEVEL', 'loud', 'is "loud": expected fatal, error, warn, info, debug or trace'],
    ['SALLYPORT_PUBLIC_URL', 'gateway', 'is "gateway": expected a URL such as http://host:port'],
  ])('names %s, what was wrong and what is expected', (name, value, problem) => {
    const error = failureOf(() => readCatalog({ [name]: value }));
    expect(error.variable).toBe(name);
    expect(error.message).toBe(`${name} ${problem}`);
  });

  it('names a variable that is missing', () => {
    expect(failureOf(() => readAuth({})).message).toBe('SALLYPORT_ADMIN_TOKEN is not set: expected a text');
  });

  it('refuses a mistyped variable and guesses the one that was meant', () => {
    const error = failureOf(() => readCatalog({ SALLYPORT_DATABSE_URL: 'postgres://db' }));
    expect(error.message).toBe(
      'SALLYPORT_DATABSE_URL is not a variable of Sallyport: expected perhaps SALLYPORT_DATABASE_URL',
    );
  });

  it('never prints the value of a secret', () => {
    const error = failureOf(() => readCatalog({ SALLYPORT_DATABASE_URL: 'hunter2' }));
    expect(error.message).toBe('SALLYPORT_DATABASE_URL cannot be used: expected a URL such as http://host:port');
  });

  it('is one line, whatever the environment holds', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        fc.pre(value !== '' && !value.includes('\0'));
        try {
          readCatalog({ SALLYPORT_CATALOG_HTTP_PORT: value });
        } catch (error) {
          expect((error as Error).message).not.toMatch(/[\r\n]/);
        }
      }),
    );
  });

  it('has a row in the table for every variable every application reads', () => {
    expect(variables.filter(({ apps }) => apps === 'every').length).toBeGreaterThan(0);
    expect(() => defineConfig('waf', { unknown: variable('SALLYPORT_NO_SUCH_NAME', text) })({})).toThrow(RangeError);
  });
});

describe('a secret', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sp-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is read from the file its _FILE twin names, without the line end', () => {
    const file = join(folder, 'token');
    writeFileSync(file, 'correct horse battery\n');
    expect(readAuth({ SALLYPORT_ADMIN_TOKEN_FILE: file }).token).toBe('correct horse battery');
  });

  it('may not be given twice', () => {
    const error = failureOf(() => readAuth({ SALLYPORT_ADMIN_TOKEN: 'a', SALLYPORT_ADMIN_TOKEN_FILE: 'b' }));
    expect(error.message).toBe(
      'SALLYPORT_ADMIN_TOKEN and SALLYPORT_ADMIN_TOKEN_FILE are both set: expected one of them',
    );
  });

  it('names a file that cannot be read', () => {
    const error = failureOf(() => readAuth({ SALLYPORT_ADMIN_TOKEN_FILE: join(folder, 'missing') }));
    expect(error.variable).toBe('SALLYPORT_ADMIN_TOKEN_FILE');
    expect(error.message).toContain('cannot be read (ENOENT): expected a readable file');
  });
});

describe('the ready-made readings', () => {
  it.each([
    [flag, 'on', true],
    [flag, '0', false],
    [flag, 'TRUE', true],
    [integer, '1073741824', 1_073_741_824],
    [ratio, '.5', 0.5],
    [ratio, '1', 1],
    [url, 'http://collector:4318/', 'http://collector:4318'],
    [port, '65535', 65_535],
  ])('read %#', (schema, given, expected) => expect(schema.parse(given)).toBe(expected));

  it.each([
    [flag, 'yes'],
    [flag, '__proto__'],
    [integer, '-1'],
    [integer, '1e3'],
    [ratio, '1.1'],
    [ratio, '-0'],
    [port, '8080 '],
  ])('refuse %#', (schema, given) => expect(schema.safeParse(given).success).toBe(false));
});
