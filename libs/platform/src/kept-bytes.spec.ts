import fc from 'fast-check';
import { KeptBytes, type Place } from './kept-bytes';

const MIB = 1024 * 1024;

describe('bytes that are kept for a while', () => {
  it('read as they were given until they are let go, whatever else comes and goes', () => {
    const step = fc.record({ length: fc.oneof(fc.nat(5_000), fc.nat(MIB)), lettingGo: fc.nat(100) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const memory = new KeptBytes();
        const kept: { readonly place: Place; readonly given: Uint8Array }[] = [];
        steps.forEach(({ length, lettingGo }, at) => {
          const given = new Uint8Array(length).fill(at + 1);
          kept.push({ place: memory.keep(given), given });
          if (lettingGo < 70) memory.letGo(kept.splice(lettingGo % kept.length, 1)[0]!.place);
          for (const one of kept) expect(Buffer.compare(memory.copyOf(one.place), one.given)).toBe(0);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('are copied on the way in and on the way out', () => {
    const memory = new KeptBytes();
    const given = Uint8Array.of(1, 2, 3);
    const place = memory.keep(given);
    given.fill(9);
    const copy = memory.copyOf(place);
    memory.letGo(place);
    memory.keep(Uint8Array.of(7, 7, 7));
    expect([...copy]).toEqual([1, 2, 3]);
    expect(copy.buffer.byteLength).toBe(3);
  });

  it('take no new memory where as much was let go', () => {
    const memory = new KeptBytes();
    const pieces = new Set<unknown>();
    const kept: Place[] = [];
    for (let turn = 0; turn < 1_000; turn++) {
      const place = memory.keep(new Uint8Array(100_000));
      pieces.add(place.piece);
      kept.push(place);
      if (kept.length > 40) memory.letGo(kept.shift()!);
    }
    // Four pieces of a megabyte and one that is being filled; ten messages fit in each.
    expect(pieces.size).toBeLessThanOrEqual(6);
  });

  it('leave only a few pieces behind when a crowd has gone', () => {
    const memory = new KeptBytes();
    const crowd = Array.from({ length: 20 }, () => memory.keep(new Uint8Array(MIB)));
    crowd.forEach((place) => memory.letGo(place));
    const known = new Set<unknown>(crowd.map(({ piece }) => piece));
    const again = Array.from({ length: 20 }, () => memory.keep(new Uint8Array(MIB)).piece);
    expect(again.filter((piece) => known.has(piece))).toHaveLength(5);
  });
});
