import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** What a release of the rules consists of. Archives may be packed anew by whoever keeps them; the files in them may not. */
const manifest = z.strictObject({
  version: z.string(),
  /** Where the release is published. */
  archive: z.url(),
  /** SHA-256 of each file, hexadecimal, by its path. */
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});
export type Manifest = z.infer<typeof manifest>;

/** Releases whose files are known, the newest first. */
export const knownVersions: readonly string[] = ['4.28.0'];

/** @returns undefined for a release whose files nobody here has seen. */
export function manifestOf(version: string): Manifest | undefined {
  if (!knownVersions.includes(version)) return undefined;
  const text = readFileSync(join(__dirname, 'manifests', `crs-${version}.json`), 'utf8');
  return manifest.parse(JSON.parse(text));
}

/**
 * Compares files with what a release consists of. Rules and data that do not belong to it count as differences: they would run.
 * @returns one line for each file that is missing, differs or does not belong.
 */
export function differences({ files }: Manifest, found: ReadonlyMap<string, Uint8Array>): string[] {
  const lines: string[] = [];
  for (const [path, sha256] of Object.entries(files)) {
    const bytes = found.get(path);
    if (!bytes) lines.push(`${path} is missing`);
    else if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      lines.push(`${path} is not that of the release`);
  }
  for (const path of found.keys()) {
    if (/^rules\/[^/]+\.(conf|data)$/.test(path) && !Object.hasOwn(files, path))
      lines.push(`${path} does not belong to the release`);
  }
  return lines;
}
