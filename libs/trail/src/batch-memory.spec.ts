import { BatchMemory, steppedMemory } from './batch-memory';

const KIB = 1024;

describe('the memory of batches', () => {
  it('gives what was given back, and never the same to two at a time', () => {
    const memory = new BatchMemory(4, 512 * KIB);
    const [one, other] = [memory.take(10), memory.take(10)];
    expect(one).not.toBe(other);
    memory.give(one);
    expect(memory.take(64 * KIB)).toBe(one);
    expect(memory.take(1)).not.toBe(one);
  });

  it('asks for new memory where what lies there is too small', () => {
    const memory = new BatchMemory(4, 512 * KIB);
    memory.give(memory.take(10));
    expect(memory.take(64 * KIB + 1).length).toBe(128 * KIB);
  });

  it('keeps only so many pieces, and none that a single large batch has needed', () => {
    const memory = new BatchMemory(1, 512 * KIB);
    const [one, other, large] = [memory.take(10), memory.take(10), memory.take(513 * KIB)];
    memory.give(large);
    memory.give(one);
    memory.give(other);
    expect(memory.take(10)).toBe(one);
    expect([other, large]).not.toContain(memory.take(10));
  });

  it('keeps the larger where all that lies there has become too small', () => {
    const memory = new BatchMemory(1, 512 * KIB);
    const [small, large] = [memory.take(10), memory.take(100 * KIB)];
    memory.give(small);
    memory.give(large);
    expect(memory.take(100 * KIB)).toBe(large);
  });

  it('is of the sizes of a ladder, and never nothing', () => {
    expect([0, 1, 64 * KIB, 64 * KIB + 1].map((bytes) => steppedMemory(bytes).length / KIB)).toEqual([64, 64, 64, 128]);
  });
});
