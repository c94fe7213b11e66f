import { BatchMemory } from './batch-memory';

const KIB = 1024;

describe('the memory of batches', () => {
  it('gives what was given back, and never the same to two at a time', () => {
    const memory = new BatchMemory(4, 512 * KIB);
    const [one, other] = [memory.take(10), memory.take(10)];
    expect(one).not.toBe(other);
    memory.give(one);
    expect(memory.take(512 * KIB)).toBe(one);
    expect(memory.take(1)).not.toBe(one);
  });

  it('never takes the place of one piece by a larger one: what does for any batch is there from the first on', () => {
    const memory = new BatchMemory(1, 512 * KIB);
    const first = memory.take(1);
    for (const bytes of [64 * KIB, 3, 100 * KIB, 512 * KIB, 0]) {
      memory.give(first);
      expect(memory.take(bytes)).toBe(first);
    }
  });

  it('keeps only so many pieces, and none that a single large batch has needed', () => {
    const memory = new BatchMemory(1, 512 * KIB);
    const [one, other, large] = [memory.take(10), memory.take(10), memory.take(513 * KIB)];
    expect(large.length).toBe(513 * KIB);
    memory.give(large);
    memory.give(one);
    memory.give(other);
    expect(memory.take(10)).toBe(one);
    expect([other, large]).not.toContain(memory.take(10));
  });
});
