import { readFile, stat } from 'node:fs/promises';

/** A reference leads to nothing that could be sent as a key. The message names the reference, never a value. */
class CredentialMissing extends Error {
  constructor(reference: string, problem: string) {
    super(`${reference} ${problem}`);
    this.name = 'CredentialMissing';
  }
}

const MAX_BYTES = 16 * 1024;
/** RFC 6750 §2.1 asks for less; this is what one header field can carry without being misread. */
const SENDABLE = /^[\x21-\x7e]+$/;

/**
 * Reads the credential a reference leads to: `${env:NAME}`, or the file that `NAME_FILE` names where NAME is unset; or
 * `${file:/path}`.
 * @throws CredentialMissing
 */
export async function resolveCredential(
  reference: string,
  environment: (name: string) => string | undefined,
): Promise<string> {
  const match = /^\$\{(env|file):(.+)\}$/.exec(reference);
  if (!match) throw new CredentialMissing(reference, 'is not a reference');
  const [, kind, place] = match;
  const value =
    kind === 'file' ? await readSecretFile(reference, place!) : await fromEnvironment(reference, place!, environment);
  if (!SENDABLE.test(value))
    throw new CredentialMissing(reference, 'holds nothing, or more than one line of plain text');
  return value;
}

async function fromEnvironment(
  reference: string,
  name: string,
  environment: (name: string) => string | undefined,
): Promise<string> {
  // What opens Sallyport itself must not be sent to whoever owns a base URL.
  if (name.startsWith('SALLYPORT_')) throw new CredentialMissing(reference, 'names a variable of Sallyport itself');
  const value = environment(name);
  if (value !== undefined && value !== '') return value.trim();
  const file = environment(`${name}_FILE`);
  if (!file) throw new CredentialMissing(reference, 'is not set');
  return readSecretFile(reference, file);
}

async function readSecretFile(reference: string, path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new CredentialMissing(reference, 'leads to a file that is too large for a key');
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (error instanceof CredentialMissing) throw error;
    throw new CredentialMissing(
      reference,
      `leads to a file that cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}
