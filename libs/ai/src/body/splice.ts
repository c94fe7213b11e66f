import type { Scanned } from './scan';

/** Bytes `start` to before `end` become `bytes`; an empty range inserts. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

/**
 * Applies edits to a buffer; every byte outside their ranges goes out as it came.
 * @throws RangeError when two edits overlap or one lies outside the buffer.
 */
export function splice(body: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return body;
  const pieces: Buffer[] = [];
  let at = 0;
  for (const edit of [...edits].sort((one, other) => one.start - other.start)) {
    if (edit.start < at || edit.end < edit.start || edit.end > body.length) throw new RangeError('edits overlap');
    pieces.push(body.subarray(at, edit.start), edit.bytes);
    at = edit.end;
  }
  pieces.push(body.subarray(at));
  return Buffer.concat(pieces);
}

/** The edit that gives a member of a scanned object a value, whether or not the member is there. */
export function setMember(scanned: Scanned, name: string, json: string): Edit {
  const present = scanned.members.get(name);
  if (present) return { ...present, bytes: Buffer.from(json) };
  const inside = scanned.object.start + 1;
  const member = `${JSON.stringify(name)}:${json}${scanned.empty ? '' : ','}`;
  return { start: inside, end: inside, bytes: Buffer.from(member) };
}
