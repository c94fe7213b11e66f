import { createLogger, createMetrics } from '@sallyport/platform';
import type { FromWorker, ToWorker } from './messages';
import { Supervisor, type Fork, type WorkerListener } from './supervisor';

/** A worker that does what the test says. */
class FakeWorker {
  readonly told: ToWorker[] = [];
  killed = false;
  constructor(
    readonly slot: number,
    readonly pid: number,
    private readonly listener: WorkerListener,
  ) {}
  send(message: ToWorker): void {
    this.told.push(message);
    if (message.what === 'facts?') {
      const facts = {
        node: `n-w${this.slot}`,
        pid: this.pid,
        revision: 'c_1',
        exchanges: 1,
        sockets: 2,
        upstreams: [],
      };
      this.say({ what: 'facts', ask: message.ask, facts });
    }
    if (message.what === 'metrics?') {
      const text = `# TYPE served counter\nserved{app="ingress"} ${this.pid}\n`;
      this.say({ what: 'metrics', ask: message.ask, page: { text, merges: {} } });
    }
  }
  kill(): void {
    this.killed = true;
    this.exit(null, 'SIGKILL');
  }
  say(message: FromWorker): void {
    this.listener.said(message);
  }
  serve(): void {
    this.say({ what: 'state', ready: true, reasons: [] });
    this.say({ what: 'listening' });
  }
  exit(code: number | null, signal: string | null = null): void {
    this.listener.exited(code, signal);
  }
}

describe('the supervisor of the workers', () => {
  let workers: FakeWorker[];
  let supervisor: Supervisor;
  const processes = { fork, prepare: jest.fn(), dismiss: jest.fn() };
  const lines: string[] = [];

  beforeEach(() => {
    jest.useFakeTimers();
    workers = [];
    lines.length = 0;
    processes.prepare.mockClear();
    processes.dismiss.mockClear();
    supervisor = new Supervisor({
      count: 2,
      processes,
      clock: { now: () => Date.now(), monotonic: () => performance.now() },
      logger: createLogger({
        app: 'ingress',
        node: 'n',
        level: 'info',
        destination: { write: (line) => void lines.push(line) },
      }),
      metrics: createMetrics('ingress'),
    });
  });
  afterEach(() => jest.useRealTimers());

  function fork(...[slot, listener]: Parameters<Fork>): FakeWorker {
    const worker = new FakeWorker(slot, workers.length + 1, listener);
    workers.push(worker);
    return worker;
  }
  const started = async () => {
    const start = supervisor.start();
    workers[0]!.serve();
    await start;
    workers[1]!.serve();
  };
  const alive = () => workers.map(({ slot }) => slot);

  it('starts the others once the first stands, so that what is wrong is said once', async () => {
    const start = supervisor.start();
    expect(alive()).toEqual([1]);
    expect(supervisor.readiness()).toEqual({ ready: false, reasons: ['starting'] });
    workers[0]!.serve();
    await start;
    expect(alive()).toEqual([1, 2]);
    expect(supervisor.readiness()).toEqual({ ready: true, reasons: [] });
  });

  it('ends with the exit code of a first worker that cannot start', async () => {
    const start = supervisor.start();
    workers[0]!.exit(69);
    await expect(start).rejects.toMatchObject({ exitCode: 69 });
    expect(alive()).toEqual([1]);
  });

  it('puts another in the place of a dead worker at once, and stays ready', async () => {
    await started();
    workers[1]!.exit(null, 'SIGKILL');
    expect(alive()).toEqual([1, 2, 2]);
    expect(supervisor.readiness().ready).toBe(true);
    workers[0]!.exit(1);
    expect(alive()).toEqual([1, 2, 2, 1]);
    expect(supervisor.readiness().ready).toBe(false);
  });

  it('gets ready for the next death when every place is filled, and never while it ends', async () => {
    const start = supervisor.start();
    workers[0]!.serve();
    await start;
    expect(processes.prepare).not.toHaveBeenCalled();
    workers[1]!.serve();
    expect(processes.prepare).toHaveBeenCalledTimes(1);
    workers[1]!.exit(null, 'SIGKILL');
    expect(processes.prepare).toHaveBeenCalledTimes(1);
    workers[2]!.serve();
    expect(processes.prepare).toHaveBeenCalledTimes(2);
    workers[2]!.say({ what: 'ending', reason: 'fault' });
    void supervisor.end('SIGTERM');
    expect(processes.dismiss).toHaveBeenCalledTimes(1);
    workers[3]!.serve();
    expect(processes.prepare).toHaveBeenCalledTimes(2);
  });

  it('does not hurry any more after five deaths within a minute, and does again when they have passed', async () => {
    await started();
    for (let death = 1; death <= 5; death++) workers.at(-1)!.exit(1);
    expect(workers).toHaveLength(7);
    workers.at(-1)!.exit(1);
    expect(workers).toHaveLength(7);
    jest.advanceTimersByTime(999);
    expect(workers).toHaveLength(7);
    jest.advanceTimersByTime(1);
    expect(workers).toHaveLength(8);
    workers.at(-1)!.exit(1);
    jest.advanceTimersByTime(1_999);
    expect(workers).toHaveLength(8);
    jest.advanceTimersByTime(1);
    expect(workers).toHaveLength(9);
    for (let second = 0; second < 61; second++) {
      workers[0]!.say({ what: 'state', ready: true, reasons: [] });
      workers.at(-1)!.say({ what: 'state', ready: true, reasons: [] });
      jest.advanceTimersByTime(1_000);
    }
    workers.at(-1)!.exit(1);
    expect(workers).toHaveLength(10);
  });

  it('fills the place of a worker that ends by itself while that one still finishes', async () => {
    await started();
    workers[1]!.say({ what: 'ending', reason: 'fault' });
    expect(alive()).toEqual([1, 2, 2]);
    workers[1]!.exit(1);
    expect(alive()).toEqual([1, 2, 2]);
  });

  it('ends a worker whose loop is stuck, and no other', async () => {
    await started();
    for (let second = 0; second < 16; second++) {
      workers[0]!.say({ what: 'state', ready: true, reasons: [] });
      jest.advanceTimersByTime(1_000);
    }
    expect(workers.map(({ killed }) => killed)).toEqual([false, true, false]);
  });

  it('gives a worker that starts more time for its first word: it may be waiting for the bus', async () => {
    const start = supervisor.start();
    workers[0]!.serve();
    await start;
    const pass = (seconds: number): void => {
      for (let second = 0; second < seconds; second++) {
        workers[0]!.say({ what: 'state', ready: true, reasons: [] });
        jest.advanceTimersByTime(1_000);
      }
    };
    pass(100);
    expect(workers.map(({ killed }) => killed)).toEqual([false, false]);
    pass(25);
    expect(workers.map(({ killed }) => killed)).toEqual([false, true, false]);
  });

  it('is not ready from the first moment of its end, and waits for every worker', async () => {
    await started();
    let ended = false;
    const end = supervisor.end('SIGTERM').then(() => (ended = true));
    expect(supervisor.readiness()).toEqual({ ready: false, reasons: ['draining'] });
    for (const { told } of workers) expect(told).toContainEqual({ what: 'end', reason: 'SIGTERM' });
    workers[0]!.exit(0);
    await Promise.resolve();
    expect(ended).toBe(false);
    workers[1]!.exit(0);
    await end;
    expect(workers).toHaveLength(2);
  });

  it('ends in order also while the first worker is still starting', async () => {
    const start = supervisor.start();
    const end = supervisor.end('SIGINT');
    expect(workers[0]!.told).toEqual([{ what: 'end', reason: 'SIGINT' }]);
    workers[0]!.exit(0);
    await expect(start).rejects.toMatchObject({ exitCode: 0 });
    await end;
  });

  it('shows one page of metrics, in which a dead worker still counts', async () => {
    await started();
    expect(await supervisor.exposition()).toContain('served{app="ingress"} 3\n');
    workers[1]!.exit(null, 'SIGKILL');
    const page = await supervisor.exposition();
    expect(page).toContain('served{app="ingress"} 6\n');
    expect(page).toMatch(/^sallyport_ingress_worker_deaths_total\{.*\} 1$/m);
    expect(page).toMatch(/^sallyport_ingress_workers\{.*\} 1$/m);
  });

  it('shows the last page of a worker that does not answer', async () => {
    await started();
    await supervisor.exposition();
    workers[1]!.send = () => undefined;
    const page = supervisor.exposition();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await page).toContain('served{app="ingress"} 3\n');
  });

  it('tells a worker that asks what all of them say', async () => {
    await started();
    workers[0]!.say({ what: 'everybody?', ask: 7 });
    await jest.advanceTimersByTimeAsync(0);
    expect(workers[0]!.told.at(-1)).toMatchObject({ what: 'everybody', ask: 7, facts: [{ pid: 1 }, { pid: 2 }] });
  });
});
