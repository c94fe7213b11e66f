/** An entry of an archive that could not be read, or should not be. */
export class ArchiveError extends Error {}

const BLOCK = 512;

/**
 * Reads the files of a tar archive (POSIX.1-2001, with the long names of pax and GNU). Folders and everything else that is no
 * plain file are passed over; nothing is written anywhere.
 * @throws ArchiveError when it is broken, or a path leads out of it.
 */
export function readTar(archive: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let longName: string | undefined;
  for (let at = 0; at + BLOCK <= archive.length;) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    checkSum(header);
    const size = octal(header, 124, 12);
    const type = String.fromCharCode(header[156]!);
    const data = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (data.length < size) throw new ArchiveError('the archive ends in the middle of a file');
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x') longName = paxPath(data) ?? longName;
    else if (type === 'L') longName = textOf(data, 0, data.length);
    else if (type !== 'g') {
      if (type === '0' || type === '\0') files.set(safePath(longName ?? nameOf(header)), data);
      longName = undefined;
    }
  }
  return files;
}

function nameOf(header: Uint8Array): string {
  const prefix = textOf(header, 345, 155);
  const name = textOf(header, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}

function safePath(path: string): string {
  const clean = path.replace(/^\.\//, '');
  const parts = clean.split('/');
  if (clean.startsWith('/') || clean.includes('\\') || parts.includes('..'))
    throw new ArchiveError(`a path of the archive leads out of it: ${path.slice(0, 200)}`);
  return clean;
}

function checkSum(header: Uint8Array): void {
  const said = octal(header, 148, 8);
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : header[at]!;
  if (sum !== said) throw new ArchiveError('it is no tar archive, or it is damaged');
}

function octal(header: Uint8Array, at: number, length: number): number {
  const text = textOf(header, at, length).trim();
  if (!/^[0-7]{0,11}$/.test(text)) throw new ArchiveError('it is no tar archive, or it is damaged');
  return text === '' ? 0 : Number.parseInt(text, 8);
}

function textOf(bytes: Uint8Array, at: number, length: number): string {
  const slice = bytes.subarray(at, at + length);
  const end = slice.indexOf(0);
  return Buffer.from(end < 0 ? slice : slice.subarray(0, end)).toString('utf8');
}

/** Records of the form `<length> <name>=<value>\n`; of them the path alone is of interest. */
function paxPath(data: Uint8Array): string | undefined {
  const text = Buffer.from(data).toString('utf8');
  return /(?:^|\n)\d+ path=([^\n]*)/.exec(text)?.[1];
}
