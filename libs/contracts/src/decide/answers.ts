import type { WireReader } from './wire-reader';

/**
 * Finds the id of an answer without reading it, in whatever order its sender wrote its fields; every `Answer` of the
 * `Decide` streams has its id as field 1. The reader stays where it was.
 * @param end where the answer ends.
 */
export function idOfAnswer(reader: WireReader, end: number): number {
  const start = reader.at;
  let id = 0;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x08) {
      id = reader.varint();
      break;
    }
    reader.skip(tag);
  }
  reader.at = start;
  return id;
}
