import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { exitCodes, Failure } from '../failure';
import { plain } from '../output';
import { ArchiveError, readTar } from './tar';

/** A release is some hundreds of files of text. */
const MOST_UNPACKED = 64 * 1024 * 1024;
const MOST_PACKED = 32 * 1024 * 1024;
const LONGEST_MS = 60_000;
const MOST_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/** Files of a release by their path in it, `rules/…` and `crs-setup.conf.example` among them. */
export type ReleaseFiles = ReadonlyMap<string, Uint8Array>;

/**
 * Reads a release from a folder or from an archive.
 * @throws Failure (1) when it cannot be read, or is none.
 */
export async function readRelease(from: string): Promise<ReleaseFiles> {
  const found = await stat(from).catch(() => undefined);
  if (!found) throw failure(`There is nothing at ${plain(from)}.`);
  return found.isDirectory() ? readFolder(from) : unpack(await readFile(from));
}

/**
 * Fetches a release from where it is published. What comes is not believed: its files are compared with a manifest afterwards.
 * @param longestMs for all of it
 * @throws Failure (69) when it cannot be had; (1) when it is no archive, or one that is too large.
 */
export async function fetchRelease(url: string, longestMs = LONGEST_MS): Promise<ReleaseFiles> {
  try {
    return unpack(await download(url, AbortSignal.timeout(longestMs)));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`${url} cannot be fetched: ${plain((error as Error).message)}.`, {
      exitCode: exitCodes.unavailable,
      next: 'fetch it on another machine, and: sallyport crs install --from FILE',
    });
  }
}

/** Follows redirects itself: none leads from https to something that others can read and change. */
async function download(url: string, signal: AbortSignal): Promise<Uint8Array> {
  let place = new URL(url);
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const answer = await fetch(place, { signal, redirect: 'manual' });
    const location = answer.headers.get('location');
    if (answer.ok) return bodyOf(answer);
    await answer.body?.cancel();
    if (!REDIRECTS.includes(answer.status) || location === null) throw new Error(`it answers ${answer.status}`);
    const next = new URL(location, place);
    if (next.protocol !== 'https:' && next.protocol !== place.protocol)
      throw new Error(`it is redirected to ${next.protocol}//${next.host}, which is not https`);
    place = next;
  }
  throw new Error(`it is redirected more than ${MOST_REDIRECTS} times`);
}

/** Reads no more than an archive may have, whatever length is announced. */
async function bodyOf(answer: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MOST_PACKED) throw tooLarge();
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): Failure {
  return failure(`The archive is larger than ${MOST_PACKED} bytes.`);
}

function unpack(packed: Uint8Array): ReleaseFiles {
  if (packed.length > MOST_PACKED) throw tooLarge();
  try {
    return atTop(readTar(gunzipSync(packed, { maxOutputLength: MOST_UNPACKED })));
  } catch (error) {
    if (error instanceof ArchiveError) throw failure(`The archive is refused: ${plain(error.message)}.`);
    if (error instanceof Failure) throw error;
    throw failure(`The archive cannot be unpacked: ${plain((error as Error).message)}.`);
  }
}

const SIGN = 'rules/REQUEST-901-INITIALIZATION.conf';

/** Archives have everything in one folder named after the release. */
function atTop(files: ReleaseFiles): ReleaseFiles {
  const sign = [...files.keys()].find((path) => path === SIGN || path.endsWith(`/${SIGN}`));
  if (sign === undefined) throw failure(`It holds no ${SIGN}: this is no release of the OWASP CRS.`);
  const top = sign.slice(0, sign.length - SIGN.length);
  const inside = [...files].filter(([path]) => path.startsWith(top));
  return new Map(inside.map(([path, bytes]) => [path.slice(top.length), bytes]));
}

/** Only what a release has of its own; links are not followed. */
async function readFolder(folder: string): Promise<ReleaseFiles> {
  const files = new Map<string, Uint8Array>();
  for (const below of ['', 'rules']) {
    const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isFile()) files.set(path, await readFile(join(folder, path)));
    }
  }
  return atTop(files);
}

function failure(message: string): Failure {
  return new Failure(message, { exitCode: exitCodes.failed, next: 'sallyport help crs' });
}
