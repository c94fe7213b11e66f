/** Some forty records of requests. */
const SLAB_BYTES = 64 * 1024;
/** Larger ones would leave too much of a slab unused. */
const MOST_BYTES = SLAB_BYTES / 4;
/** Of one UTF-16 code unit, at most. */
const UTF8_BYTES = 3;

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let used = 0;

/**
 * The UTF-8 bytes of a text with room in front of them, written once and where they stay: to ask for their number first, as
 * `Buffer.from` does, costs as much as to write them. Records that follow one another share a piece of memory, and leave it
 * together when they are on the disk.
 *
 * @param room bytes in front, left as they are
 */
export function textBehind(room: number, text: string): Buffer {
  const most = room + text.length * UTF8_BYTES;
  if (most > MOST_BYTES) return large(room, text);
  if (used + most > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  const start = used;
  used += room + slab.write(text, start + room);
  return slab.subarray(start, used);
}

function large(room: number, text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(room + Buffer.byteLength(text));
  bytes.write(text, room);
  return bytes;
}
