// Makes generated files, or with --check says which are not fresh: `npm run gen [-- --check]`
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure, bin, root, run, say, whenMain } from './process.mjs';
import { writeReference } from './reference.mjs';

/**
 * Each writes its files below a folder that stands for the clone, and says which folder of the clone they belong to, and
 * which files there are written by hand.
 */
const generators = [
  {
    name: 'wire types of proto/',
    folder: 'libs/contracts/src/gen',
    make: (out) => command(bin('buf'), ['generate', '-o', out]),
  },
  {
    name: 'reference pages',
    folder: 'docs/reference',
    keep: ['subjects.md', 'availability.md', 'seclang.md'],
    make: writeReference,
  },
];

whenMain(import.meta, async (args) => {
  const check = args.includes('--check');
  for (const generator of generators) await (check ? compare(generator) : replace(generator));
});

async function replace({ name, folder, make, keep = [] }) {
  await inScratch(make, (scratch) => {
    for (const file of filesOf(join(root, folder)).keys()) {
      if (!keep.includes(file)) rmSync(join(root, folder, file));
    }
    cpSync(join(scratch, folder), join(root, folder), { recursive: true });
    say(`Generated the ${name}: ${folder}`);
  });
}

async function compare({ name, folder, make, keep = [] }) {
  await inScratch(make, (scratch) => {
    const [fresh, present] = [filesOf(join(scratch, folder)), filesOf(join(root, folder))];
    const differing = [...new Set([...fresh.keys(), ...present.keys()])].filter(
      (file) => fresh.get(file) !== present.get(file) && !keep.includes(file),
    );
    if (differing.length > 0) {
      throw new Failure(`The ${name} are not fresh (${folder}: ${differing.sort().join(', ')}). Run: npm run gen`);
    }
  });
}

async function inScratch(make, then) {
  const scratch = mkdtempSync(join(tmpdir(), 'sallyport-gen-'));
  try {
    await make(scratch);
    then(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Text of every file below a folder by its path in it. */
function filesOf(folder) {
  if (!existsSync(folder)) return new Map();
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1), readFileSync(path, 'utf8')];
    }),
  );
}

async function command(file, args) {
  if ((await run(file, args)) !== 0) throw new Failure(`${args.join(' ')} failed; its reason stands above.`);
}
