import { EventEmitter } from 'node:events';
import type { Closable } from './address';
import { ConfigError } from './config';
import { Unreachable } from './keep-trying';
import { AlreadyReported, exitCodes, Main, type Host, type Life, type MainOptions, type Running } from './lifecycle';
import { ListenError } from './listening';
import { createLogger } from './logger';

/** A process that notes its end instead of ending. */
class FakeHost extends EventEmitter implements Host {
  readonly env: NodeJS.ProcessEnv = {};
  readonly exits: number[] = [];
  readonly lines: string[] = [];
  readonly stderr = { write: (text: string) => void this.lines.push(text) };
  readonly exited: Promise<number>;
  private resolve!: (code: number) => void;
  constructor(readonly channel?: object) {
    super();
    this.exited = new Promise((resolve) => (this.resolve = resolve));
  }
  exit(code: number): void {
    this.exits.push(code);
    this.resolve(code);
  }
}

describe('the life of a process', () => {
  let host: FakeHost;
  let log: string[];
  beforeEach(() => {
    host = new FakeHost();
    log = [];
  });

  const run = async (start: (life: Life) => Promise<Running>, options: MainOptions = {}) => {
    const destination = { write: (line: string) => void log.push(line) };
    const logger = createLogger({ app: 'waf', node: 'test', level: 'info', destination });
    new Main('waf', start, host, logger, options).run();
    await new Promise(setImmediate);
  };

  it.each(['SIGTERM', 'SIGINT'])('ends in order at %s', async (signal) => {
    let closed = 0;
    await run(async () => ({ close: async () => void closed++ }));
    host.emit(signal);
    await expect(host.exited).resolves.toBe(exitCodes.done);
    expect(closed).toBe(1);
  });

  it('ends at once at the second signal', async () => {
    await run(async () => ({ close: () => new Promise(() => {}) }));
    host.emit('SIGTERM');
    expect(host.exits).toEqual([]);
    host.emit('SIGINT');
    expect(host.exits).toEqual([130]);
  });

  it('lets a start finish before it ends', async () => {
    let closed = false;
    let started: (running: Closable) => void = () => {};
    await run(() => new Promise((resolve) => (started = resolve)));
    host.emit('SIGTERM');
    started({ close: async () => void (closed = true) });
    await expect(host.exited).resolves.toBe(exitCodes.done);
    expect(closed).toBe(true);
  });

  it('ends when the tool that started it is killed', async () => {
    host = new FakeHost({});
    await run(async () => ({ close: async () => {} }));
    host.emit('disconnect');
    await expect(host.exited).resolves.toBe(exitCodes.done);
  });

  it.each([
    [new ConfigError('SALLYPORT_HOST', 'is not set'), exitCodes.usage, 'SALLYPORT_HOST is not set'],
    [
      new Unreachable('the bus', 'refused', 30_000),
      exitCodes.unavailable,
      'the bus could not be reached within 30 s: refused',
    ],
    [new TypeError('a defect'), exitCodes.failed, 'a defect'],
  ])('turns %s into one line and an exit code', async (error, code, line) => {
    await run(() => Promise.reject(error));
    await expect(host.exited).resolves.toBe(code);
    expect(host.lines).toEqual([`sallyport waf: ${line}\n`]);
    expect(log.length).toBe(code === exitCodes.failed ? 1 : 0);
  });

  it('names the variable that changes a taken port', async () => {
    host.env['SALLYPORT_CATALOG_HTTP_PORT'] = '9000';
    await run(() => Promise.reject(new ListenError({ host: '127.0.0.1', port: 9000 }, 'EADDRINUSE')));
    await host.exited;
    expect(host.lines[0]).toContain('http://127.0.0.1:9000: another process listens there');
    expect(host.lines[0]).toContain('SALLYPORT_CATALOG_HTTP_PORT changes the port');
  });

  it.each(['uncaughtException', 'unhandledRejection'])('logs an %s, closes and fails', async (event) => {
    let closed = false;
    await run(async () => ({ close: async () => void (closed = true) }));
    host.emit(event, new Error('nobody caught this'));
    await expect(host.exited).resolves.toBe(exitCodes.failed);
    expect(closed).toBe(true);
    expect(log.join()).toContain('nobody caught this');
  });

  it('fails when the end is not clean', async () => {
    await run(async () => ({ close: () => Promise.reject(new Error('a socket stayed open')) }));
    host.emit('SIGTERM');
    await expect(host.exited).resolves.toBe(exitCodes.failed);
    expect(log.join()).toContain('a socket stayed open');
  });

  it('tells what runs why it ends, before anything is closed', async () => {
    const told: string[] = [];
    await run(async (life) => {
      life.onEnd((reason) => void told.push(reason));
      return { close: async () => void told.push('closed') };
    });
    host.emit('SIGINT');
    await host.exited;
    expect(told).toEqual(['SIGINT', 'closed']);
  });

  it('passes an exit code on that somebody else has explained', async () => {
    await run(() => Promise.reject(new AlreadyReported(69)));
    await expect(host.exited).resolves.toBe(69);
    expect(host.lines).toEqual([]);
  });

  it('gives an end the time that what runs has asked for', async () => {
    await run(async () => ({ endsWithinMs: 20, close: () => new Promise(() => {}) }));
    host.emit('SIGTERM');
    await expect(host.exited).resolves.toBe(exitCodes.failed);
    expect(log.join()).toContain('the end took too long');
  });

  describe('one of a supervised group', () => {
    it('leaves SIGINT to its supervisor, and takes a second SIGTERM for the first', async () => {
      let finish: () => void = () => {};
      const closing = new Promise<void>((resolve) => (finish = resolve));
      await run(async () => ({ close: () => closing }), { supervised: true });
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGINT', 'SIGTERM']) host.emit(signal);
      expect(host.exits).toEqual([]);
      finish();
      await expect(host.exited).resolves.toBe(exitCodes.done);
    });

    it('ends in order when its supervisor is gone', async () => {
      host = new FakeHost({});
      const reasons: unknown[] = [];
      await run(async (life) => ({ close: async () => void reasons.push(life.reason) }), { supervised: true });
      host.emit('disconnect');
      await expect(host.exited).resolves.toBe(exitCodes.done);
      expect(reasons).toEqual(['orphaned']);
    });
  });
});
