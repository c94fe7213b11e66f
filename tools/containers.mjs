// Checks compose file and Dockerfile with whatever this machine has: `node tools/containers.mjs`
// A machine without the tools skips by name; CI installs them (docker-compose, buildah, debootstrap).
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  cpSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure, root, say, whenMain } from './process.mjs';

const IMAGE = 'localhost/sallyport/waf:check';
const storage = ['--storage-driver', 'vfs'];

whenMain(import.meta, async () => {
  checkCompose();
  buildImage();
});

/** The file is valid with its secrets set, and stops with the name of the first that is missing. */
function checkCompose() {
  const compose = composeCommand();
  if (!compose) return say('SKIPPED compose file: neither docker compose nor docker-compose is on this machine');
  const secrets = { POSTGRES_PASSWORD: 'x', SALLYPORT_ADMIN_TOKEN: 'x', SALLYPORT_PEPPER: 'x' };
  const config = (environment) =>
    spawnSync(compose[0], [...compose.slice(1), '-f', 'docker-compose.yml', 'config', '-q'], {
      cwd: root,
      env: { PATH: process.env.PATH, ...environment },
      encoding: 'utf8',
    });
  const valid = config(secrets);
  if (valid.status !== 0) throw new Failure(`docker-compose.yml is not valid: ${valid.stderr}`);
  for (const name of Object.keys(secrets)) {
    const { [name]: _, ...others } = secrets;
    const refused = config(others);
    if (refused.status === 0 || !refused.stderr.includes(`set ${name} in .env`)) {
      throw new Failure(`docker-compose.yml starts without ${name}`);
    }
  }
  say(
    'ok      docker-compose.yml is valid, and stops by name without POSTGRES_PASSWORD, SALLYPORT_ADMIN_TOKEN or SALLYPORT_PEPPER',
  );
}

function composeCommand() {
  if (spawnSync('docker', ['compose', 'version']).status === 0) return ['docker', 'compose'];
  return spawnSync('docker-compose', ['version']).status === 0 ? ['docker-compose'] : undefined;
}

/** Builds the image as a user without an engine would, on a base that carries this machine's Node, and runs it. */
function buildImage() {
  const missing = ['buildah', 'debootstrap'].filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (missing.length > 0 || process.getuid() !== 0) {
    return say(`SKIPPED Dockerfile: needs root, buildah and debootstrap (missing: ${missing.join(', ') || 'root'})`);
  }
  const scratch = mkdtempSync(join(tmpdir(), 'sallyport-image-'));
  try {
    makeBase(baseImage(), scratch);
    build();
    runAsItself();
  } finally {
    spawnSync('buildah', [...storage, 'rm', '--all']);
    rmSync(scratch, { recursive: true, force: true });
  }
}

function baseImage() {
  const match = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  if (!match) throw new Failure('Dockerfile names no NODE_IMAGE');
  return match[1];
}

function makeBase(tag, scratch) {
  say('making a base image with this machine’s Node …');
  const rootfs = join(scratch, 'rootfs');
  quiet('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', rootfs]);
  const bin = join(rootfs, 'usr/local/bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync(realpathSync(process.execPath), join(bin, 'node'));
  const npm = npmFolder();
  cpSync(npm, join(rootfs, 'usr/local/lib/npm'), { recursive: true });
  writeFileSync(join(bin, 'npm'), '#!/bin/sh\nexec node /usr/local/lib/npm/bin/npm-cli.js "$@"\n', { mode: 0o755 });
  const container = quiet('buildah', [...storage, 'from', 'scratch']).trim();
  quiet('buildah', [...storage, 'copy', '-q', container, rootfs, '/']);
  quiet('buildah', [...storage, 'commit', '-q', container, tag]);
  quiet('buildah', [...storage, 'rm', container]);
}

function npmFolder() {
  const script = realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim());
  return dirname(dirname(script));
}

function build() {
  say('building the Dockerfile …');
  const npmrc = execFileSync('npm', ['config', 'get', 'userconfig'], { cwd: root, encoding: 'utf8' }).trim();
  const cache = execFileSync('npm', ['config', 'get', 'cache'], { cwd: root, encoding: 'utf8' }).trim();
  mkdirSync(cache, { recursive: true });
  quiet('buildah', [
    ...storage,
    'bud',
    '--isolation=chroot',
    '--pull-never',
    '--layers=false',
    ...(existsSync(npmrc) ? ['--volume', `${npmrc}:/root/.npmrc:ro`] : []),
    ...(process.env.NODE_EXTRA_CA_CERTS
      ? [
          '--volume',
          '/etc/ssl/certs:/etc/ssl/certs:ro',
          '--env',
          `NODE_EXTRA_CA_CERTS=${process.env.NODE_EXTRA_CA_CERTS}`,
        ]
      : []),
    '--volume',
    `${cache}:/root/.npm`,
    '--build-arg',
    'APP=waf',
    '-t',
    IMAGE,
    root,
  ]);
}

/** The image runs as nobody in particular, has no compiler, and says in one line what it lacks. */
function runAsItself() {
  const container = quiet('buildah', [...storage, 'from', '--pull-never', IMAGE]).trim();
  const inside = (...command) =>
    spawnSync('buildah', [...storage, 'run', '--isolation=chroot', container, '--', ...command], { encoding: 'utf8' });
  const expect = (what, holds) => {
    if (!holds) throw new Failure(`the image is not what it should be: ${what}`);
    say(`ok      ${what}`);
  };
  const id = inside('id', '-u');
  expect('the image runs as user 10001', id.stdout.trim() === '10001');
  expect(
    'the image has no compiler',
    ['tsc', 'gcc', 'make'].every((tool) => inside('which', tool).status !== 0),
  );
  expect('the image carries no development dependency', inside('ls', 'node_modules/typescript').status !== 0);
  const start = inside('node', 'deploy/docker/run.cjs');
  expect(
    'the image says what it lacks and ends with 64',
    start.status === 64 && start.stderr.includes('SALLYPORT_NATS_URL'),
  );
}

function quiet(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) throw new Failure(`${command} ${args[0]} failed:\n${(stderr || stdout).slice(-3000)}`);
  return stdout;
}
