import * as fc from 'fast-check';
import { arrange, Holes, type Arrived } from './order';

const body = (seq: number) => Buffer.from(String(seq));
const batch = (firstSeq: number, count: number): Arrived<string> => ({
  mark: `${firstSeq}+${count}`,
  firstSeq,
  bodies: Array.from({ length: count }, (_, at) => body(firstSeq + at)),
});
const seqs = (placed: readonly { readonly seq: number }[]) => placed.map(({ seq }) => seq);

describe('the batches of a chain', () => {
  it('are put in order', () => {
    const { accepted, nextSeq, done } = arrange(1, [batch(4, 2), batch(1, 3)], false);
    expect(seqs(accepted)).toEqual([1, 2, 3, 4, 5]);
    expect(nextSeq).toBe(6);
    expect(done).toEqual(['1+3', '4+2']);
  });

  it('lose what was seen before', () => {
    const { accepted, repeated, done } = arrange(3, [batch(1, 4)], false);
    expect([seqs(accepted), seqs(repeated), done]).toEqual([[3, 4], [1, 2], ['1+4']]);
  });

  it('wait behind a hole, until it is given up', () => {
    expect(arrange(1, [batch(3, 2)], false)).toMatchObject({
      accepted: [],
      early: ['3+2'],
      gap: undefined,
      nextSeq: 1,
    });
    const given = arrange(1, [batch(3, 2)], true);
    expect([seqs(given.accepted), given.gap, given.nextSeq]).toEqual([[3, 4], { first: 1, last: 2 }, 5]);
  });

  it('have one hole given up at a time: the next one has not been waited for yet', () => {
    expect(arrange(1, [batch(3, 1), batch(6, 1)], true)).toMatchObject({
      gap: { first: 1, last: 2 },
      early: ['6+1'],
      nextSeq: 4,
    });
  });

  it('give every record once and in order, however they are cut, repeated and shuffled', () => {
    const batches = fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 10 })), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 7 }), (ranges, window) => {
        const whole = [...ranges.map(([first, count]) => batch(first, count)), batch(1, 40)];
        const taken: number[] = [];
        let next = 1;
        for (let at = 0; at < whole.length; at += window) {
          const { accepted, nextSeq } = arrange(next, whole.slice(at, at + window), false);
          for (const placed of accepted) {
            expect(placed.body).toEqual(body(placed.seq));
            taken.push(placed.seq);
          }
          next = nextSeq;
        }
        expect(taken).toEqual(Array.from({ length: 40 }, (_, at) => at + 1).slice(0, taken.length));
        expect(taken.length).toBe(40);
      }),
    );
  });
});

describe('a hole', () => {
  it('is old when the same sequence has been missing for long enough', () => {
    const holes = new Holes(60_000);
    holes.note('c', 5, true, 0);
    holes.note('c', 5, true, 50_000);
    expect([holes.isOld('c', 5, 59_999), holes.isOld('c', 5, 60_000), holes.isOld('c', 6, 60_000)]).toEqual([
      false,
      true,
      false,
    ]);
    holes.note('c', 6, true, 60_000);
    expect(holes.isOld('c', 6, 100_000)).toBe(false);
    holes.note('c', 6, false, 100_000);
    expect(holes.isOld('c', 6, 1_000_000)).toBe(false);
  });
});
