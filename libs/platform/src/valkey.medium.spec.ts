import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { eventually } from './bus.suite';
import type { Logger } from './logger';
import { connectValkey } from './valkey';

const installed = spawnSync('redis-server', ['--version']).status === 0;
if (!installed) console.warn('skipped: the connection to Redis, because redis-server is not installed');

(installed ? describe : describe.skip)(
  `the connection to Redis or Valkey${installed ? '' : ' (skipped: redis-server is not installed)'}`,
  () => {
    const logger = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
    let folder: string;
    let server: ChildProcess | undefined;
    let redis: Redis;

    const startServer = async () => {
      const flags = ['--port', '0', '--unixsocket', join(folder, 's'), '--save', '', '--dir', folder];
      server = spawn('redis-server', [...flags, '--requirepass', 'hunter2'], { stdio: 'ignore' });
      await eventually(() => expect(redis.status).toBe('ready'));
    };
    const stopServer = async () => {
      const exited = new Promise((resolve) => server!.once('exit', resolve));
      server!.kill('SIGKILL');
      await exited;
    };

    beforeEach(async () => {
      jest.clearAllMocks();
      folder = await mkdtemp(join(tmpdir(), 'sp-redis-'));
      redis = connectValkey({
        url: `${join(folder, 's')}?password=hunter2`,
        logger: logger as unknown as Logger,
        commandTimeoutMs: 500,
      });
    });
    afterEach(async () => {
      redis.disconnect();
      await stopServer();
      await rm(folder, { recursive: true, force: true });
    });

    it('fails a command at once while there is no connection, and answers when there is one', async () => {
      await expect(redis.get('a')).rejects.toThrow();
      await eventually(() => expect(logger.warn).toHaveBeenCalledTimes(1));
      await startServer();
      await redis.set('a', '1', 'EX', 60);
      expect(await redis.get('a')).toBe('1');
      expect(logger.info).toHaveBeenCalledTimes(1);
    });

    it('hangs up on a server that answers as a replica, seldom, and says what it said', async () => {
      await startServer();
      const { reconnectOnError } = redis.options;
      const answers = (message: string) => reconnectOnError!(new Error(message));
      const inScript = "ERR Error running script: -READONLY You can't write against a read only replica.";
      for (const message of ['LOADING Redis is loading the dataset in memory', 'NOSCRIPT No matching script.', 'ERR x'])
        expect(answers(message)).toBe(false);
      expect(logger.warn).toHaveBeenCalledTimes(1);
      expect(answers(inScript)).toBe(true);
      expect(logger.warn).toHaveBeenLastCalledWith({ detail: inScript }, expect.any(String));
      expect(answers('MASTERDOWN Link with MASTER is down')).toBe(false);
      const later = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_100);
      expect(answers('MASTERDOWN Link with MASTER is down')).toBe(true);
      later.mockRestore();
    });

    it('does not complain of a connection that it ends itself', async () => {
      await startServer();
      logger.warn.mockClear();
      redis.disconnect();
      await eventually(() => expect(redis.status).toBe('end'));
      expect(logger.warn).not.toHaveBeenCalled();
    });

    it('comes back by itself after the server was killed, and tells no password', async () => {
      await startServer();
      await stopServer();
      await eventually(() => expect(redis.status).not.toBe('ready'));
      expect(logger.warn).toHaveBeenLastCalledWith({ detail: 'the connection ended' }, expect.any(String));
      await expect(redis.get('a')).rejects.toThrow();
      await startServer();
      expect(await redis.get('a')).toBeNull();
      expect(JSON.stringify([logger.warn.mock.calls, logger.info.mock.calls])).not.toContain('hunter2');
    });
  },
);
