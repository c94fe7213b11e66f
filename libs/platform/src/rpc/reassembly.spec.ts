import fc from 'fast-check';
import { Reassembly } from './reassembly';

/** Units of two bytes for the length, and then so many. */
function reassembly(hear: (unit: Buffer, of: Reassembly) => void) {
  const sizes = jest.fn((bytes: Buffer, at: number) => 2 + bytes.readUInt16BE(at));
  const units: Reassembly = new Reassembly({
    header: 2,
    sizeAt: sizes,
    take: (bytes, start, end) => hear(bytes.subarray(start, end), units),
  });
  return { units, sizes, add: (bytes: Buffer) => units.add(bytes, 0, bytes.length) };
}

const unit = (content: Uint8Array): Buffer => {
  const header = Buffer.alloc(2);
  header.writeUInt16BE(content.length);
  return Buffer.concat([header, content]);
};
/** So many pieces of one byte, each in the same memory. */
function byteByByte(bytes: Buffer, add: (piece: Buffer) => void): void {
  const piece = Buffer.alloc(1);
  for (const byte of bytes) {
    piece[0] = byte;
    add(piece);
  }
}

/** Bytes that are moved and buffers that are made while something runs. */
function cost(run: () => void): { moved: number; made: number } {
  const copies = jest.spyOn(Buffer.prototype, 'copy');
  const buffers = jest.spyOn(Buffer, 'allocUnsafe');
  run();
  const moved = copies.mock.results.reduce((sum, { value }) => sum + Number(value), 0);
  const made = buffers.mock.calls.length;
  copies.mockRestore();
  buffers.mockRestore();
  return { moved, made };
}

describe('units that come in pieces', () => {
  it('are taken whole and in order, however they are cut and whenever they are held back', () =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        fc.array(fc.boolean(), { minLength: 1 }),
        (contents, cuts, holds) => {
          const sent = contents.map(unit);
          const taken: Buffer[] = [];
          const { units, add } = reassembly((bytes, of) => {
            taken.push(Buffer.from(bytes));
            if (holds[taken.length % holds.length]) of.hold();
          });
          let rest = Buffer.concat(sent);
          for (let turn = 0; rest.length > 0; turn++) {
            const piece = Buffer.from(rest.subarray(0, cuts[turn % cuts.length]!));
            rest = rest.subarray(piece.length);
            add(piece);
            // What a piece lay in is used again.
            piece.fill(0xee);
            if (turn % 3 === 0) units.release();
          }
          for (const _ of sent) units.release();
          expect(taken).toEqual(sent);
          expect(units.waiting).toBe(0);
        },
      ),
    ));

  it('are taken where they lie when a piece holds them whole', () => {
    const piece = Buffer.concat([unit(Buffer.alloc(20)), unit(Buffer.alloc(300))]);
    const seen: boolean[] = [];
    const { add } = reassembly((bytes) => seen.push(bytes.buffer === piece.buffer));
    expect(cost(() => add(piece))).toEqual({ moved: 0, made: 0 });
    expect(seen).toEqual([true, true]);
  });

  it('cost no more when they come byte by byte: each byte is moved once, into a buffer of the right size', () => {
    const sent = unit(Buffer.alloc(60_000, 7));
    const taken: Buffer[] = [];
    const { add } = reassembly((bytes) => taken.push(bytes));
    const { moved, made } = cost(() => byteByByte(sent, add));
    expect(taken).toEqual([sent]);
    expect(moved).toBeLessThan(60_010);
    expect(made).toBeLessThanOrEqual(2);
  });

  it('cost a few moves of each byte while they are held back, and none while they are let go one by one', () => {
    let taken = 0;
    const { units, add } = reassembly((_, of) => {
      taken++;
      of.hold();
    });
    units.hold();
    const sent = Buffer.concat(Array.from({ length: 20_000 }, () => unit(Buffer.alloc(1))));
    const held = cost(() => byteByByte(sent, add));
    expect(taken).toBe(0);
    expect(units.waiting).toBe(60_000);
    expect(held.moved).toBeLessThan(4 * 60_000);
    expect(held.made).toBeLessThan(20);
    const released = cost(() => {
      for (let count = 0; count < 20_000; count++) units.release();
    });
    expect(taken).toBe(20_000);
    expect(released).toEqual({ moved: 0, made: 0 });
  });

  it('are let go of at the end, which a size may bring about', () => {
    const taken: string[] = [];
    const { units, sizes, add } = reassembly((bytes) => taken.push(bytes.toString('latin1', 2)));
    sizes
      .mockImplementationOnce(() => 3)
      .mockImplementationOnce(() => {
        units.end();
        return Infinity;
      });
    add(Buffer.concat([unit(Buffer.from('a')), unit(Buffer.from('b')), unit(Buffer.from('c'))]));
    add(unit(Buffer.from('d')));
    units.release();
    expect(taken).toEqual(['a']);
    expect(units.waiting).toBe(0);
  });
});
