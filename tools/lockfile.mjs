// Checks package-lock.json for what breaks on another machine: `node tools/lockfile.mjs`
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import semver from 'semver';
import { Failure, root, whenMain } from './process.mjs';

/** The oldest Node Sallyport runs on; every package has to run on it. */
const OLDEST_NODE = '20.19.0';

whenMain(import.meta, async () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const faults = Object.entries(packages).flatMap(([path, entry]) => faultsOf(path, entry, packages));
  if (faults.length > 0) throw new Failure(`package-lock.json:\n  ${faults.join('\n  ')}`);
});

function faultsOf(path, entry, packages) {
  const faults = [];
  if (entry.resolved && /^https?:/.test(entry.resolved)) faults.push(`${path} names a registry: ${entry.resolved}`);
  if (!runsOnOldest(entry.engines?.node)) faults.push(`${path} needs Node ${entry.engines.node}`);
  // npm leaves out binaries that were not published yet when the lockfile was made; other platforms then get none.
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (!isLocked(path, name, packages)) faults.push(`${path || 'package.json'} lacks its optional ${name}`);
  }
  return faults;
}

function runsOnOldest(range) {
  return !range || semver.satisfies(OLDEST_NODE, range);
}

/** Looks a dependency up as Node does: in the package's own folder, then in those above it. */
function isLocked(path, name, packages) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    if (packages[folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`]) return true;
    if (folder === '') return false;
  }
}
