import { open, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { knownVariableNames } from '@sallyport/contracts';

/** A reference leads to nothing that could be sent as a key. The message names the reference, never a value. */
class CredentialMissing extends Error {
  constructor(reference: string, problem: string) {
    super(`${reference} ${problem}`);
    this.name = 'CredentialMissing';
  }
}

/** Where credentials are looked for, and where Sallyport keeps its own, which no account gets. */
export interface CredentialPlaces {
  readonly environment: (name: string) => string | undefined;
  readonly dataDir: string;
}

const MAX_BYTES = 16 * 1024;
/** RFC 6750 §2.1 asks for less; this is what one header field can carry without being misread. */
const SENDABLE = /^[\x21-\x7e]+$/;

/**
 * Reads the credential a reference leads to: `${env:NAME}`, or the file that `NAME_FILE` names where NAME is unset; or
 * `${file:/path}`.
 * @throws CredentialMissing
 */
export async function resolveCredential(reference: string, places: CredentialPlaces): Promise<string> {
  const match = /^\$\{(env|file):(.+)\}$/.exec(reference);
  if (!match) throw new CredentialMissing(reference, 'is not a reference');
  const [, kind, place] = match;
  const value = await (kind === 'file'
    ? readSecretFile(reference, place!, places)
    : fromEnvironment(reference, place!, places));
  if (!SENDABLE.test(value))
    throw new CredentialMissing(reference, 'holds nothing, or more than one line of plain text');
  return value;
}

async function fromEnvironment(reference: string, name: string, places: CredentialPlaces): Promise<string> {
  // What opens Sallyport itself must not be sent to whoever owns a base URL.
  if (name.startsWith('SALLYPORT_')) throw new CredentialMissing(reference, 'names a variable of Sallyport itself');
  const value = places.environment(name);
  if (value !== undefined && value !== '') return value.trim();
  const file = places.environment(`${name}_FILE`);
  if (!file) throw new CredentialMissing(reference, 'is not set');
  return readSecretFile(reference, file, places);
}

async function readSecretFile(reference: string, path: string, places: CredentialPlaces): Promise<string> {
  try {
    const real = await realpath(path);
    if (await isOurs(real, places)) throw new CredentialMissing(reference, 'leads to a file of Sallyport itself');
    // Before it is opened: whoever opens a pipe waits for somebody to write.
    if (!(await stat(real)).isFile()) throw new CredentialMissing(reference, 'leads to something that is no file');
    const bytes = await readUpTo(real, MAX_BYTES + 1);
    if (bytes.length > MAX_BYTES) throw new CredentialMissing(reference, 'leads to a file that is too large for a key');
    return bytes.toString('utf8').trim();
  } catch (error) {
    if (error instanceof CredentialMissing) throw error;
    throw new CredentialMissing(
      reference,
      `leads to a file that cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}

/** A file may say that it has no bytes and yield them without end, as those of /proc do. */
async function readUpTo(path: string, most: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(most);
    let length = 0;
    for (let read = -1; read !== 0 && length < most; length += read) {
      read = (await file.read(bytes, length, most - length)).bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

/** What is kept in the data directory, or named by a variable of Sallyport: its own keys, and the password of its database. */
async function isOurs(real: string, { dataDir, environment }: CredentialPlaces): Promise<boolean> {
  const directory = await realOf(dataDir);
  if (directory !== undefined && real.startsWith(directory + sep)) return true;
  for (const name of knownVariableNames) {
    const named = name.endsWith('_FILE') ? environment(name) : undefined;
    if (named && (await realOf(named)) === real) return true;
  }
  return false;
}

async function realOf(path: string): Promise<string | undefined> {
  return realpath(path).catch(() => undefined);
}
