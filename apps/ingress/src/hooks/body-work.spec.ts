import { BodyWork } from './body-work';

describe('work on whole bodies', () => {
  let time: number;
  let work: BodyWork;
  let done: string[];

  beforeEach(() => {
    time = 0;
    done = [];
    work = new BodyWork(() => time);
  });

  const task = (name: string, ms: number) => () => {
    time += ms;
    done.push(name);
  };
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

  it('is done at once while a turn has time for it', () => {
    work.do(task('a', 4));
    work.do(task('b', 4));
    work.do(task('c', 4));
    expect(done).toEqual(['a', 'b', 'c']);
    expect(work.lateMs).toBe(0);
  });

  it('waits for the next turn when this one has done enough, and lets everything else of the process come first', async () => {
    for (const name of ['a', 'b', 'c', 'd']) work.do(task(name, 8));
    expect(done).toEqual(['a', 'b']);
    for (const name of ['e', 'f']) work.do(task(name, 8));
    setImmediate(() => done.push('another request'));
    await turn();
    expect(done).toEqual(['a', 'b', 'c', 'd', 'another request']);
    await turn();
    expect(done.slice(5)).toEqual(['e', 'f']);
  });

  it('keeps its order, also for what comes while some is waiting', async () => {
    work.do(task('long', 50));
    for (let at = 0; at < 20; at++) work.do(task(`${at}`, 6));
    for (let turns = 0; turns < 30; turns++) await turn();
    expect(done).toEqual(['long', ...Array.from({ length: 20 }, (_, at) => `${at}`)]);
  });

  it('says how long the first of those that wait has waited', async () => {
    work.do(task('a', 10));
    work.do(task('b', 10));
    work.do(task('c', 10));
    time += 300;
    expect(work.lateMs).toBe(300);
    await turn();
    expect(work.lateMs).toBe(310);
    await turn();
    expect(work.lateMs).toBe(0);
  });

  it('is one piece with what it brings of its own', () => {
    work.do(() => {
      time += 20;
      work.do(task('inner', 1));
      done.push('outer');
    });
    expect(done).toEqual(['inner', 'outer']);
  });
});
