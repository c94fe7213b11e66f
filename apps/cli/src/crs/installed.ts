import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Manifest } from './manifest';
import type { ReleaseFiles } from './release';

/** Where rule sets lie that were installed: `<data>/crs/<version>`. */
export function placeOf(dataDir: string, version: string): string {
  return join(dataDir, 'crs', version);
}

export async function installedVersions(dataDir: string): Promise<string[]> {
  const entries = await readdir(join(dataDir, 'crs'), { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory() && !entry.name.endsWith('.new')).map(({ name }) => name);
}

/** Writes the files that a manifest names, beside the place, and puts them there in one step. */
export async function writeRelease(
  dataDir: string,
  { version, files }: Manifest,
  found: ReleaseFiles,
): Promise<string> {
  const place = placeOf(dataDir, version);
  const scratch = `${place}.new`;
  await rm(scratch, { recursive: true, force: true });
  for (const path of Object.keys(files)) {
    const file = join(scratch, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, found.get(path)!, { mode: 0o644 });
  }
  await keepOwn(place, scratch);
  await rm(place, { recursive: true, force: true });
  await rename(scratch, place);
  return place;
}

/** What the user has put beside the rules outlives a repeated installation. */
async function keepOwn(place: string, scratch: string): Promise<void> {
  for (const own of ['crs-setup.conf', 'before', 'after']) {
    if (existsSync(join(place, own))) await rename(join(place, own), join(scratch, own));
  }
}

export async function removeRelease(dataDir: string, version: string): Promise<void> {
  await rm(placeOf(dataDir, version), { recursive: true, force: true });
}
