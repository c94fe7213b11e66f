import { createLogger } from '@sallyport/platform';
import { startTimetable } from './timetable';

describe('a timetable', () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ app: 'catalog', node: 'test', level: 'warn', destination });

  beforeEach(() => {
    jest.useFakeTimers();
    lines.length = 0;
  });
  afterEach(() => jest.useRealTimers());

  it('goes on after a failure, and says it once an outage', async () => {
    let away = true;
    const failing = jest.fn(async () => {
      if (away) throw new Error('the database is away');
    });
    const other = jest.fn(async () => undefined);
    const table = startTimetable(
      [
        { name: 'failing', run: failing },
        { name: 'other', run: other },
      ],
      logger,
      1_000,
    );
    await jest.advanceTimersByTimeAsync(3_500);
    expect(failing).toHaveBeenCalledTimes(3);
    expect(other).toHaveBeenCalledTimes(3);
    expect(lines).toHaveLength(1);
    away = false;
    await jest.advanceTimersByTimeAsync(1_000);
    away = true;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(lines).toHaveLength(2);
    await table.close();
  });

  it('waits for the work under way when it is closed, and begins none after', async () => {
    let finish: () => void = () => undefined;
    const slow = jest.fn(() => new Promise<void>((resolve) => (finish = resolve)));
    const after = jest.fn(async () => undefined);
    const table = startTimetable(
      [
        { name: 'slow', run: slow },
        { name: 'after', run: after },
      ],
      logger,
      1_000,
    );
    await jest.advanceTimersByTimeAsync(1_000);
    let closed = false;
    const closing = table.close().then(() => (closed = true));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(closed).toBe(false);
    finish();
    await closing;
    expect(slow).toHaveBeenCalledTimes(1);
    expect(after).not.toHaveBeenCalled();
  });
});
