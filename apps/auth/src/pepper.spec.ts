import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPepper } from '@sallyport/identity';
import { readOrDrawPepper } from './pepper';

describe('the pepper of an embedded installation', () => {
  let folder: string;

  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'sp-'))));
  afterEach(() => rm(folder, { recursive: true }));

  it('is drawn once, into a file of its owner alone, and read from then on', async () => {
    const dataDir = join(folder, 'data with spaces');
    const drawn = await readOrDrawPepper(dataDir, randomBytes);
    expect(() => readPepper(1, drawn)).not.toThrow();
    expect(await readOrDrawPepper(dataDir, randomBytes)).toBe(drawn);
    expect(await readdir(dataDir)).toEqual(['pepper']);
    expect((await stat(join(dataDir, 'pepper'))).mode & 0o777).toBe(0o600);
  });

  it('is one, however many draw at once', async () => {
    const drawn = await Promise.all(Array.from({ length: 8 }, () => readOrDrawPepper(folder, randomBytes)));
    expect(new Set(drawn).size).toBe(1);
    expect(await readdir(folder)).toEqual(['pepper']);
  });
});
