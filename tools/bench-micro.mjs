// Runs one of the small benchmarks: `npm run -s bench:micro -- consult [--json …]`
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, root, run, whenMain } from './process.mjs';

const folder = join(root, 'bench', 'micro');

whenMain(import.meta, async ([name, ...args]) => {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.mjs') && !file.endsWith('-service.mjs'))
    .map((file) => file.slice(0, -'.mjs'.length));
  if (!names.includes(name)) throw new Failure(`Name one of these: ${names.join(', ')}`, 2);
  const code = await run(process.execPath, [join(folder, `${name}.mjs`), ...args], { stdio: ['ignore', 1, 2] });
  if (code !== 0) throw new Failure(`${name} ended with ${code}`, code);
});
