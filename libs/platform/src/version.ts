import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Version of Sallyport, from the package.json above the sources or the compiled files. */
export function readVersion(): string {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const found = nameAndVersion(join(folder, 'package.json'));
    if (found?.name === 'sallyport') return found.version;
  }
  return 'unknown';
}

function nameAndVersion(file: string): { name: string; version: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { name: string; version: string };
  } catch {
    return undefined;
  }
}
