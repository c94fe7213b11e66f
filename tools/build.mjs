// Compiles what runs into dist/, keeping the folders: `node tools/build.mjs [--all]`
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { Failure, root, say, whenMain } from './process.mjs';

const dist = join(root, 'dist');
const stampFile = join(dist, '.build.json');
const lockFile = join(root, 'node_modules', '.sallyport-build.lock');
const folders = ['apps', 'libs', 'examples', 'proto'];
/** Copied as they are, because code beside them reads or requires them. */
const assets = /\.(json|proto|html|css|svg|sql)$/;
const leftOut = /(\.(spec|suite)\.ts|\.d\.ts)$/;
const leftOutFolders = new Set(['node_modules', 'testdata', 'testkit', 'console', 'cassettes']);

whenMain(import.meta, async (args) => {
  await build({ all: args.includes('--all') });
});

/**
 * Brings dist/ up to date: compiles sources that changed since the last build, removes what lost its source. One process
 * at a time builds; one that comes meanwhile waits and then finds that nothing is left to do.
 * @returns {Promise<number>} how many files were written.
 */
export async function build({ all = false } = {}) {
  if (!all && isFresh(planOf(all))) return 0;
  return alone(async () => {
    const plan = planOf(all);
    return isFresh(plan) ? 0 : carryOut(plan);
  });
}

function planOf(all) {
  const recipe = recipeOf();
  const sources = new Map(folders.flatMap((folder) => [...sourcesIn(join(root, folder))]));
  const last = all ? { files: {} } : readStamp(recipe);
  const stale = [...sources].filter(([path, mark]) => last.files[path] !== mark || !existsSync(outputOf(path)));
  const gone = Object.keys(last.files).filter((path) => !sources.has(path));
  return { recipe, sources, stale, gone, anew: last.recipe !== recipe };
}

function isFresh({ stale, gone }) {
  return stale.length === 0 && gone.length === 0;
}

async function carryOut({ recipe, sources, stale, gone, anew }) {
  const begun = Date.now();
  if (anew) rmSync(dist, { recursive: true, force: true });
  say(`Building ${stale.length} ${stale.length === 1 ? 'file' : 'files'} …`);
  rmSync(stampFile, { force: true });
  for (const path of gone) for (const end of ['', '.map']) rmSync(outputOf(path) + end, { force: true });
  await Promise.all(stale.map(([path]) => (path.endsWith('.ts') ? compile(path) : copy(path))));
  mkdirSync(dist, { recursive: true });
  writeFileSync(stampFile, JSON.stringify({ recipe, files: Object.fromEntries(sources) }));
  say(`Built in ${((Date.now() - begun) / 1000).toFixed(1)} s.`);
  return stale.length;
}

/** Runs `work` while no other process does. Whoever died with the lock does not keep it. */
async function alone(work) {
  while (!takeLock()) await new Promise((resolve) => setTimeout(resolve, 100));
  try {
    return await work();
  } finally {
    rmSync(lockFile, { force: true });
  }
}

function takeLock() {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (!isAlive(ownerOfLock())) rmSync(lockFile, { force: true });
    return false;
  }
}

/** Undefined for the instant in which the owner has made the file and not yet written its id. */
function ownerOfLock() {
  try {
    return Number(readFileSync(lockFile, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  if (pid === undefined) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
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
  writeFileSync(
    output,
    `${passOnGetters(code)}//# sourceMappingURL=${output.slice(output.lastIndexOf(sep) + 1)}.map\n`,
  );
  writeFileSync(`${output}.map`, map);
}

/**
 * A name that a door passes on with `export *` is looked up by the compiler's helper in the module it comes from, at each use:
 * one function for all of them, with a lookup that no cache of V8's serves. The getter which that module has for it says the
 * same, now and later, and is compiled into whoever asks. No line moves, so that maps hold.
 * @param {string} code a module as swc writes it
 */
export function passOnGetters(code) {
  return code.replace(
    /get: function\(\) \{(\s+return from\[k\];)/,
    'get: Object.getOwnPropertyDescriptor(from, k).get ?? function() {$1',
  );
}

async function copy(path) {
  mkdirSync(dirname(outputOf(path)), { recursive: true });
  cpSync(join(root, path), outputOf(path));
}
