import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * The folder with test data that lies beside the clone and is never part of it.
 * @returns the path of one entry, or undefined where the data is absent: then say so and skip by name.
 */
export function sharedData(...segments: string[]): string | undefined {
  const root = process.env['SALLYPORT_SHARED_DIR'] ?? resolve(__dirname, '../../../../shared');
  const path = join(root, ...segments);
  return existsSync(path) ? path : undefined;
}
