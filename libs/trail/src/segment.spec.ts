import * as fc from 'fast-check';
import { RecordMemory } from './record-memory';
import {
  decodeRecord,
  decodeSegmentHeader,
  encodeRecord,
  encodeSegmentEnd,
  encodeSegmentHeader,
  encodeText,
  RECORD_HEADER_BYTES,
  recordTypes,
  scanSegment,
  SEGMENT_HEADER_BYTES,
  segmentFirstSeq,
  segmentName,
} from './segment';

const NONE = new Uint8Array(32);

function segment(firstSeq: number, bodies: readonly Uint8Array[], closed = false): Buffer {
  return Buffer.concat([
    encodeSegmentHeader({ firstSeq, createdAt: 1_795_450_000_000, previousFingerprint: NONE }),
    ...bodies.map((body, at) => encodeRecord(recordTypes.event, 0, firstSeq + at, body)),
    ...(closed ? [encodeSegmentEnd(bodies.length, firstSeq + bodies.length - 1)] : []),
  ]);
}

describe('a segment', () => {
  it('has the documented bytes', () => {
    const bytes = segment(0x1_0000_0002, [Buffer.from('{}')]);
    expect(bytes.subarray(0, 12).toString('hex')).toBe(Buffer.from('SLYSPOOL').toString('hex') + '00010000');
    expect(bytes.readBigUInt64BE(16)).toBe(0x1_0000_0002n);
    expect(bytes.readBigUInt64BE(24)).toBe(1_795_450_000_000n);
    expect(bytes.subarray(32, 64)).toEqual(Buffer.alloc(32));
    expect(bytes.readUInt32BE(64)).toBe(2);
    expect(bytes.subarray(72, 76).toString('hex')).toBe('01000000');
    expect(bytes.readBigUInt64BE(76)).toBe(0x1_0000_0002n);
    expect(bytes.subarray(84).toString()).toBe('{}');
  });

  it('holds a text as its UTF-8, however long, beside the records before and behind', () => {
    const texts = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constant('€'.repeat(6_000))), { maxLength: 60 });
    fc.assert(
      fc.property(texts, (bodies) => {
        const memory = new RecordMemory();
        const records = bodies.map((body, at) => encodeText(memory, recordTypes.event, 0, at + 1, body));
        for (const [at, body] of bodies.entries())
          expect(records[at]).toEqual(encodeRecord(recordTypes.event, 0, at + 1, Buffer.from(body)));
      }),
    );
  });

  it('is named after its first sequence', () => {
    expect(segmentName(0x2a)).toBe('000000000000002a.spool');
    fc.assert(fc.property(fc.maxSafeNat(), (seq) => expect(segmentFirstSeq(segmentName(seq))).toBe(seq)));
    expect(segmentFirstSeq('gap.page')).toBeUndefined();
  });

  it('gives exactly its complete records when it is cut at any byte', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.boolean(),
        (bodies, firstSeq, closed) => {
          const whole = segment(firstSeq, bodies, closed);
          const ends = bodies.map((_, at) =>
            bodies
              .slice(0, at + 1)
              .reduce((sum, body) => sum + RECORD_HEADER_BYTES + body.length, SEGMENT_HEADER_BYTES),
          );
          for (let cut = 0; cut <= whole.length; cut++) {
            const scan = scanSegment(whole.subarray(0, cut), firstSeq);
            const complete = ends.filter((end) => end <= cut).length;
            expect(scan.records.map(({ body }) => new Uint8Array(body))).toEqual(bodies.slice(0, complete));
            expect(scan.beyond).toEqual([]);
          }
          expect(scanSegment(whole, firstSeq).closed).toBe(closed);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('shows every record but the flipped one when a byte flips, and that sound ones lie behind it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 2, maxLength: 6 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bodies, place, flip) => {
          const bytes = segment(9, bodies);
          const at = SEGMENT_HEADER_BYTES + (place % (bytes.length - SEGMENT_HEADER_BYTES));
          bytes[at] = bytes[at]! ^ flip;
          const { records, beyond } = scanSegment(bytes, 9);
          const seqs = [...records, ...beyond].map(({ seq }) => seq);
          expect(seqs.length).toBe(bodies.length - 1);
          for (const { seq, body } of [...records, ...beyond]) expect(new Uint8Array(body)).toEqual(bodies[seq - 9]);
        },
      ),
    );
  });

  it('is read without a crash whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 1000 }), (noise, firstSeq) => {
        scanSegment(Buffer.from(noise), firstSeq);
        const behindHeader = Buffer.concat([segment(firstSeq, []), noise]);
        expect(scanSegment(behindHeader, firstSeq).end).toBeLessThanOrEqual(behindHeader.length);
        decodeRecord(Buffer.from(noise), 0);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a header of another version, another first sequence or with one bit changed', () => {
    const header = encodeSegmentHeader({ firstSeq: 7, createdAt: 1, previousFingerprint: NONE });
    expect(decodeSegmentHeader(header)).toMatchObject({ firstSeq: 7, createdAt: 1 });
    for (let bit = 0; bit < SEGMENT_HEADER_BYTES * 8; bit++) {
      const changed = Buffer.from(header);
      changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7));
      expect(decodeSegmentHeader(changed)).toBeUndefined();
    }
    expect(scanSegment(segment(7, [Buffer.from('x')]), 8).records).toEqual([]);
  });

  it('takes a tail of zeros, as a power cut leaves it, for torn', () => {
    const bytes = Buffer.concat([segment(1, [Buffer.from('one')]), Buffer.alloc(4096)]);
    expect(scanSegment(bytes, 1)).toMatchObject({ end: SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + 3, beyond: [] });
  });
});
