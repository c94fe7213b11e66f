import { Cohort } from './cohort';

describe('a cohort', () => {
  let turns: (() => void)[];
  let cohort: Cohort;
  let seen: string[];

  beforeEach(() => {
    turns = [];
    cohort = new Cohort((run) => void turns.push(run));
    seen = [];
  });

  const endTurn = (): void => turns.shift()!();
  const add = (name: string, next: () => void = () => seen.push(`after ${name}`)): void =>
    cohort.add(() => {
      seen.push(name);
      expect(cohort.defers(next)).toBe(true);
    });

  it('does at the end of a turn all that came up in it, and then what follows from each', () => {
    add('one');
    add('two');
    expect([seen, turns.length]).toEqual([[], 1]);
    endTurn();
    expect(seen).toEqual(['one', 'two', 'after one', 'after two']);
    expect(turns).toEqual([]);
  });

  it('has what follows from late work wait for nobody', () => {
    add('one');
    endTurn();
    expect(cohort.defers(() => seen.push('never'))).toBe(false);
    expect(seen).toEqual(['one', 'after one']);
  });

  it('does what comes up meanwhile at the end of the next turn', () => {
    add('one', () => add('two'));
    endTurn();
    expect([seen, turns.length]).toEqual([['one'], 1]);
    endTurn();
    expect(seen).toEqual(['one', 'two', 'after two']);
  });

  it('lets the loop have its turn after twelve', () => {
    for (let count = 0; count < 30; count++) add(String(count));
    endTurn();
    expect(seen).toHaveLength(24);
    expect(seen.slice(11, 13)).toEqual(['11', 'after 0']);
    endTurn();
    endTurn();
    expect([seen.length, turns.length]).toEqual([60, 0]);
  });

  it('goes on with the others in the next turn where one throws', () => {
    add('one', () => {
      throw new Error('a defect');
    });
    add('two');
    expect(endTurn).toThrow('a defect');
    endTurn();
    expect(seen).toEqual(['one', 'two', 'after two']);
  });
});
