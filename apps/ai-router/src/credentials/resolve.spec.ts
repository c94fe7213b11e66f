import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { resolveCredential } from './resolve';

describe('resolveCredential', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sp-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function file(content: string | Buffer): string {
    const path = join(folder, 'key');
    writeFileSync(path, content);
    return path;
  }

  const resolve = (reference: string, environment: Record<string, string> = {}, dataDir = join(folder, 'data')) =>
    resolveCredential(reference, { environment: (name) => environment[name], dataDir });

  it('reads a variable, and the file named for it where the variable is not set', async () => {
    expect(await resolve('${env:KEY}', { KEY: 'sk-1', KEY_FILE: '/nowhere' })).toBe('sk-1');
    expect(await resolve('${env:KEY}', { KEY_FILE: file('sk-2\n') })).toBe('sk-2');
  });

  it('reads a file', async () => {
    expect(await resolve(`\${file:${file('  sk-3\n')}}`)).toBe('sk-3');
  });

  it.each([
    ['${env:KEY}', {}, '${env:KEY} is not set'],
    ['${env:SALLYPORT_PEPPER}', { SALLYPORT_PEPPER: 'x' }, 'names a variable of Sallyport itself'],
    ['${env:KEY}', { KEY: 'two words' }, 'holds nothing, or more than one line of plain text'],
    ['${env:KEY}', { KEY: 'a\nb' }, 'holds nothing, or more than one line of plain text'],
    ['${file:/nowhere/at/all}', {}, 'cannot be read (ENOENT)'],
    ['sk-plain', {}, 'is not a reference'],
  ])('refuses %s of %j', async (reference, environment, problem) => {
    await expect(resolve(reference, environment)).rejects.toThrow(problem);
  });

  it('refuses a file that holds more than a key', async () => {
    await expect(resolve(`\${file:${file('root:x:0:0\ndaemon:x:1:1')}}`)).rejects.toThrow('more than one line');
    await expect(resolve(`\${file:${file(Buffer.alloc(20_000, 0x61))}}`)).rejects.toThrow('too large');
  });

  it.each(['/dev/zero', '/dev/null', '/dev'])('refuses %s, which is no file', async (path) => {
    await expect(resolve(`\${file:${path}}`)).rejects.toThrow(/no file|cannot be read/);
  });

  it('does not wait for somebody to write into a pipe', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(resolve(`\${file:${pipe}}`)).rejects.toThrow('no file');
  });

  it('gives nothing away that Sallyport keeps for itself, by whatever way it is named', async () => {
    const own = file('pepper');
    const link = join(folder, 'link');
    symlinkSync(own, link);
    for (const path of [own, link, `${folder}/../${basename(folder)}/key`]) {
      const named = resolve(`\${file:${path}}`, { SALLYPORT_PEPPER_FILE: link });
      await expect(named).rejects.toThrow('a file of Sallyport itself');
      const kept = resolve('${env:KEY}', { KEY_FILE: path }, folder);
      await expect(kept).rejects.toThrow('a file of Sallyport itself');
    }
    expect(await resolve(`\${file:${own}}`)).toBe('pepper');
  });
});
