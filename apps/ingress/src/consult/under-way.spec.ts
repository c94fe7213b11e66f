import { Consult } from './consult';
import { UnderWay } from './under-way';

class Question extends Consult {
  answered(): void {}
  unanswered(): void {}
}

function entered(underWay: UnderWay, count: number): Question[] {
  return Array.from({ length: count }, () => {
    const question = new Question();
    underWay.enter(question);
    return question;
  });
}

/** The id before the next one, as after so many consults. */
function lastIdIs(underWay: UnderWay, id: number): void {
  (underWay as unknown as { lastId: number }).lastId = id;
}

describe('consults under way', () => {
  it('finds each by its own id, also after the places have become more', () => {
    const underWay = new UnderWay();
    const questions = entered(underWay, 5_000);
    expect(new Set(questions.map(({ id }) => id)).size).toBe(5_000);
    for (const question of questions) expect(underWay.find(question.id)).toBe(question);
    expect(underWay.size).toBe(5_000);
    expect(new Set(underWay)).toEqual(new Set(questions));
  });

  it('does not take a late answer for one to the consult that has the place now', () => {
    const underWay = new UnderWay();
    const [first] = entered(underWay, 1);
    underWay.leave(first!);
    lastIdIs(underWay, first!.id + 64 - 1);
    const [next] = entered(underWay, 1);
    expect(next!.id & 63).toBe(first!.id & 63);
    expect(underWay.find(first!.id)).toBeUndefined();
    expect(underWay.leave(first!)).toBe(false);
    expect(underWay.find(next!.id)).toBe(next);
    expect(underWay.size).toBe(1);
  });

  it('passes over the place of a consult that lasts, however many come and go meanwhile', () => {
    const underWay = new UnderWay();
    const lasting = entered(underWay, 3);
    for (let round = 0; round < 10_000; round++) {
      const [passing] = entered(underWay, 1);
      expect(underWay.leave(passing!)).toBe(true);
    }
    for (const question of lasting) expect(underWay.find(question.id)).toBe(question);
    expect(underWay.size).toBe(3);
  });

  it('never gives the id 0, which wants no answer, and begins anew after the greatest', () => {
    const underWay = new UnderWay();
    lastIdIs(underWay, 2 ** 32 - 2);
    const [greatest, first] = entered(underWay, 2);
    expect([greatest!.id, first!.id]).toEqual([2 ** 32 - 1, 1]);
    expect(underWay.find(2 ** 32 - 1)).toBe(greatest);
    expect(underWay.find(0)).toBeUndefined();
  });

  it('lets a consult leave once, and one that never entered not at all', () => {
    const underWay = new UnderWay();
    const [question] = entered(underWay, 1);
    expect([underWay.leave(question!), underWay.leave(question!), underWay.leave(new Question())]).toEqual([
      true,
      false,
      false,
    ]);
    expect(underWay.size).toBe(0);
  });

  it('lets those that are looked at end', () => {
    const underWay = new UnderWay();
    entered(underWay, 100);
    for (const question of underWay) underWay.leave(question);
    expect(underWay.size).toBe(0);
  });
});
