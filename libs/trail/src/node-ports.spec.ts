import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFileSystem } from './node-ports';

describe('the file system of the host', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sp-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('writes parts one after the other at a place, and reads what is there', async () => {
    const file = await nodeFileSystem.open(join(folder, 'file'), 'create');
    await file.write([Buffer.from('one '), Buffer.from('two')], 3);
    await file.sync();
    const into = Buffer.alloc(20);
    expect(await file.read(into, 3)).toBe(7);
    expect(into.toString('latin1', 0, 7)).toBe('one two');
    await file.close();
  });

  it('does not close a file before what is under way has ended', async () => {
    const path = join(folder, 'file');
    const file = await nodeFileSystem.open(path, 'create');
    const ended: string[] = [];
    const parts = Array.from({ length: 100 }, () => Buffer.alloc(100_000, 'x'));
    const written = file.write(parts, 0).then(() => ended.push('write'));
    const synced = file.sync().then(() => ended.push('sync'));
    await file.close();
    ended.push('close');
    await Promise.all([written, synced]);
    expect(ended.indexOf('close')).toBe(2);
    expect(readFileSync(path).length).toBe(10_000_000);
  });

  it('says with the code of the system why something failed', async () => {
    const path = join(folder, 'file');
    await (await nodeFileSystem.open(path, 'create')).close();
    const file = await nodeFileSystem.open(path, 'read');
    await expect(file.write([Buffer.from('x')], 0)).rejects.toMatchObject({ code: 'EBADF' });
    await file.close();
  });
});
