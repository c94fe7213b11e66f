// Compiles what runs into dist/, keeping the folders: `node tools/build.mjs [--all]`
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { Failure, root, say, whenMain } from './process.mjs';

const dist = join(root, 'dist');
const stampFile = join(dist, '.build.json');
const folders = ['apps', 'libs', 'examples', 'proto'];
/** Copied as they are, because code beside them reads or requires them. */
const assets = /\.(json|proto|html|css|svg|sql)$/;
const leftOut = /(\.(spec|suite)\.ts|\.d\.ts)$/;
const leftOutFolders = new Set(['node_modules', 'testdata', 'testkit', 'console', 'cassettes']);

whenMain(import.meta, async (args) => {
  await build({ all: args.includes('--all') });
});

/**
 * Brings dist/ up to date: compiles sources that changed since the last build, removes what lost its source.
 * @returns {Promise<number>} how many files were written.
 */
export async function build({ all = false } = {}) {
  const begun = Date.now();
  const recipe = recipeOf();
  const sources = new Map(folders.flatMap((folder) => [...sourcesIn(join(root, folder))]));
  const last = all ? { files: {} } : readStamp(recipe);
  const stale = [...sources].filter(([path, mark]) => last.files[path] !== mark || !existsSync(outputOf(path)));
  const gone = Object.keys(last.files).filter((path) => !sources.has(path));
  if (last.recipe !== recipe) rmSync(dist, { recursive: true, force: true });
  if (stale.length === 0 && gone.length === 0) return 0;
  say(`Building ${stale.length} ${stale.length === 1 ? 'file' : 'files'} …`);
  rmSync(stampFile, { force: true });
  for (const path of gone) for (const end of ['', '.map']) rmSync(outputOf(path) + end, { force: true });
  await Promise.all(stale.map(([path]) => (path.endsWith('.ts') ? compile(path) : copy(path))));
  mkdirSync(dist, { recursive: true });
  writeFileSync(stampFile, JSON.stringify({ recipe, files: Object.fromEntries(sources) }));
  say(`Built in ${((Date.now() - begun) / 1000).toFixed(1)} s.`);
  return stale.length;
}

/** What else than the sources decides about the output. */
function recipeOf() {
  const swc = JSON.parse(readFileSync(join(root, 'node_modules/@swc/core/package.json'), 'utf8')).version;
  const settings = readFileSync(join(root, '.swcrc'));
  return createHash('sha256')
    .update(settings)
    .update(swc)
    .update(readFileSync(import.meta.filename))
    .digest('hex');
}

function readStamp(recipe) {
  try {
    const stamp = JSON.parse(readFileSync(stampFile, 'utf8'));
    return stamp.recipe === recipe ? stamp : { files: {} };
  } catch {
    return { files: {} };
  }
}

/** Path of each source, with a mark that changes when it does. */
function* sourcesIn(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!leftOutFolders.has(entry.name)) yield* sourcesIn(path);
    } else if (isSource(path)) {
      const { mtimeMs, size } = statSync(path);
      yield [relative(root, path), `${mtimeMs}/${size}`];
    }
  }
}

function isSource(path) {
  if (path.endsWith('.ts')) return !leftOut.test(path);
  return assets.test(path) && (path.includes(`${sep}src${sep}`) || path.endsWith('.proto'));
}

function outputOf(path) {
  return join(dist, path.replace(/\.ts$/, '.js'));
}

async function compile(path) {
  const { transformFile } = await import('@swc/core');
  const output = outputOf(path);
  const { code, map } = await transformFile(join(root, path), {
    cwd: root,
    root,
    configFile: join(root, '.swcrc'),
    jsc: { baseUrl: root },
    sourceMaps: true,
    sourceFileName: relative(dirname(output), join(root, path)),
  }).catch((error) => {
    throw new Failure(`${path} does not compile:\n${error.message}`);
  });
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, `${code}//# sourceMappingURL=${output.slice(output.lastIndexOf(sep) + 1)}.map\n`);
  writeFileSync(`${output}.map`, map);
}

async function copy(path) {
  mkdirSync(dirname(outputOf(path)), { recursive: true });
  cpSync(join(root, path), outputOf(path));
}
