import * as fc from 'fast-check';
import { RecordMemory } from './record-memory';

const ROOM = 20;
const KIB = 1024;

const pieces: ArrayBufferLike[] = [];

/** What a record shares with others when both lie in the same slab. */
function memoryOf({ buffer, byteOffset }: Buffer): string {
  if (!pieces.includes(buffer)) pieces.push(buffer);
  return `${pieces.indexOf(buffer)}/${Math.floor(byteOffset / (64 * KIB))}`;
}

describe('the memory of records', () => {
  it('is one and the same for ever where each record is on the disk before the next comes', () => {
    const memory = new RecordMemory();
    const first = memory.write(1, ROOM, 'x'.repeat(1_000));
    for (let seq = 2; seq < 1_000; seq++) {
      memory.free(seq - 1);
      const bytes = memory.write(seq, ROOM, 'y'.repeat(1_000));
      expect(memoryOf(bytes)).toBe(memoryOf(first));
      expect(bytes.byteOffset).toBe(first.byteOffset);
    }
  });

  it('goes round when records wait for a while, and asks for no more than waits', () => {
    const memory = new RecordMemory();
    const seen = new Set<string>();
    for (let seq = 1; seq < 5_000; seq++) {
      seen.add(memoryOf(memory.write(seq, ROOM, 'x'.repeat(5_000))));
      memory.free(seq - 100);
    }
    // A hundred records and ten of those of which each slab leaves some room unused.
    expect(seen.size).toBeLessThan(16);
  });

  it('gives back what a slow disk has made wait beyond a megabyte', () => {
    const memory = new RecordMemory();
    const written = Array.from({ length: 1_000 }, (_, at) => memory.write(at + 1, ROOM, 'x'.repeat(5_000)));
    const before = new Set(written.map(memoryOf));
    memory.free(1_000);
    const again = Array.from({ length: 1_000 }, (_, at) => memory.write(at + 1_001, ROOM, 'x'.repeat(5_000)));
    const kept = new Set(again.map(memoryOf).filter((slab) => before.has(slab)));
    expect(kept.size * 64).toBeGreaterThanOrEqual(KIB);
    expect(kept.size * 64).toBeLessThanOrEqual(KIB + 64);
  });

  it('never writes over a record that is not on the disk, whatever its size and however many of them wait', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.integer({ min: 0, max: 9_000 }).map((length) => '€'.repeat(length)),
    );
    const step = fc.oneof(
      { weight: 3, arbitrary: text.map((value) => ({ text: value })) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 40 }).map((left) => ({ left })) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const memory = new RecordMemory();
        let waiting: { readonly bytes: Buffer; readonly text: string; readonly seq: number }[] = [];
        let seq = 0;
        for (const taken of steps) {
          if ('text' in taken) {
            const bytes = memory.write(++seq, ROOM, taken.text);
            bytes.fill(seq % 256, 0, ROOM);
            waiting.push({ bytes, text: taken.text, seq });
          } else {
            const durable = Math.max(0, seq - taken.left);
            memory.free(durable);
            waiting = waiting.filter((record) => record.seq > durable);
          }
          for (const record of waiting) {
            expect(record.bytes.subarray(0, ROOM).equals(Buffer.alloc(ROOM, record.seq % 256))).toBe(true);
            expect(record.bytes.subarray(ROOM).equals(Buffer.from(record.text))).toBe(true);
          }
        }
      }),
    );
  });
});
