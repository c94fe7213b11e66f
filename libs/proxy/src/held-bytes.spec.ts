import fc from 'fast-check';
import { HeldBytes } from './held-bytes';

function hold(pieces: readonly Uint8Array[]): HeldBytes {
  const held = new HeldBytes();
  for (const piece of pieces) held.push(Buffer.from(piece));
  return held;
}

describe('HeldBytes', () => {
  it('gives back what came, in however many pieces it came, and begins anew', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 700, size: 'max' });
    fc.assert(
      fc.property(pieces, pieces, (first, second) => {
        const held = hold(first);
        expect(held.length).toBe(first.reduce((sum, { length }) => sum + length, 0));
        expect(held.whole()).toEqual(Buffer.concat(first));
        expect(held.take()).toEqual(Buffer.concat(first));
        expect(held.length).toBe(0);
        for (const piece of second) held.push(Buffer.from(piece));
        held.whole();
        for (const piece of first) held.push(Buffer.from(piece));
        expect(held.take()).toEqual(Buffer.concat([...second, ...first]));
      }),
      { numRuns: 50 },
    );
  });

  it('keeps a few hundred pieces as they came, and copies the bytes of all others: pieces of one byte cost a hundred', () => {
    const slab = Buffer.alloc(1_000, 'a');
    const held = new HeldBytes();
    for (let at = 0; at < 100_000; at++) held.push(slab.subarray(at % 1_000, (at % 1_000) + 1));
    slab.fill('b');
    const kept = held.take().toString('latin1').lastIndexOf('b') + 1;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(1_000);
  });
});
