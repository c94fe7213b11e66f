// Installs what package-lock.json names, when it is not there yet: `node tools/install.mjs`
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { userInfo } from 'node:os';
import { Failure, root, run, say, whenMain } from './process.mjs';

const lockFile = join(root, 'package-lock.json');
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.sallyport-install');
const oldestNode = [20, 19];

whenMain(import.meta, install);

/** Makes node_modules what the lockfile says; does nothing when it is that already. */
export async function install() {
  refuseOldNode();
  const wanted = fingerprint();
  if (readIfThere(stampFile) === wanted) return;
  if (!isInstalled()) await npmCi();
  writeFileSync(stampFile, wanted);
}

function refuseOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  throw new Failure(`Sallyport needs Node ${oldestNode.join('.')} or newer; this is ${process.versions.node}.`, 69);
}

/** Native packages are installed for one platform, so it belongs to what was installed. */
function fingerprint() {
  const hash = createHash('sha256').update(readFileSync(lockFile));
  return hash.update(`${process.platform} ${process.arch}`).digest('hex');
}

function readIfThere(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Whether npm's own account of node_modules agrees with the lockfile, as after an `npm install` by hand. */
function isInstalled() {
  const account = readIfThere(join(modules, '.package-lock.json'));
  if (account === undefined) return false;
  const locked = JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  const present = JSON.parse(account).packages;
  return Object.entries(locked).every(([path, { version, optional, devOptional, link }]) => {
    if (!path.startsWith('node_modules/') || link) return true;
    const found = present[path];
    return found ? found.version === version : optional || devOptional;
  });
}

async function npmCi() {
  refuseReadOnly();
  say('Installing dependencies from the npm registry (about a minute, once) …');
  const begun = Date.now();
  const beat = setInterval(() => say(`  still installing, ${Math.round((Date.now() - begun) / 1000)} s`), 10_000);
  const [command, ...first] = npm();
  const code = await run(command, [...first, 'ci', '--include=dev', '--no-audit', '--no-fund']).finally(() =>
    clearInterval(beat),
  );
  if (code !== 0)
    throw new Failure('npm ci failed; its reason stands above. Sallyport needs the npm registry once.', 69);
  say(`Installed in ${Math.round((Date.now() - begun) / 1000)} s.`);
}

function refuseReadOnly() {
  try {
    accessSync(existsSync(modules) ? modules : root, constants.W_OK);
  } catch {
    throw new Failure(`The user ${userInfo().username} may not write to ${root}: clone into a folder of your own.`, 77);
  }
}

/** The npm that runs us, else the one on the path. */
function npm() {
  const running = process.env.npm_execpath;
  return running && basename(running) === 'npm-cli.js' ? [process.execPath, running] : ['npm'];
}
