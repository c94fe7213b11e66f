import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RandomBytes } from '@sallyport/contracts';

const FILE = 'pepper';

/**
 * Reads the pepper of an embedded installation, or draws it on the first start. It lies in its own file of the data
 * folder, readable by its owner only: a copy of the database without it proves no key.
 *
 * @returns the text SALLYPORT_PEPPER would hold.
 * @throws an error of the file system.
 */
export async function readOrDrawPepper(dataDir: string, random: RandomBytes): Promise<string> {
  const path = join(dataDir, FILE);
  const existing = await readIfThere(path);
  if (existing !== undefined) return existing;
  await mkdir(dataDir, { recursive: true });
  const draft = `${path}.${Buffer.from(random(6)).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${Buffer.from(random(32)).toString('base64url')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  // Whoever comes second takes what the first has drawn: two peppers would make half of all keys wrong.
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  return (await readIfThere(path))!;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
