import { randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import nodeOptions from '../../deploy/node-options.json';
import { call } from './calls';
import {
  build,
  describeIn,
  freePortVariables,
  makeFolder,
  plainEnvironment,
  runApp,
  runTool,
  services,
  type Environment,
} from './product';
import { Program, type ProgramOptions } from './program';
import { missingServers, startNats, startPostgres, startRedis } from './servers';
import { PATIENCE_MS, until } from './waiting';

jest.setTimeout(180_000);

const READY_MS = 120_000;
const root = join(__dirname, '..', '..');

interface ReadyLine {
  readonly ready: true;
  readonly ingress: string;
  readonly admin: string;
  readonly adminToken: string | null;
  readonly apiKey: string | null;
}

/** The line for scripts: the one line on standard output. */
async function readyLine(program: Program): Promise<ReadyLine> {
  const begun = performance.now();
  await program.until(`${program.name} is ready`, () => program.stdout.includes('\n'), READY_MS);
  const seconds = (performance.now() - begun) / 1000;
  // What it takes depends on what else this machine does: shown, and only the worst is a failure.
  console.info(`${program.name} was ready after ${seconds.toFixed(1)} s`);
  return JSON.parse(program.stdout) as ReadyLine;
}

const portsOf = (environment: Environment): number[] =>
  Object.entries(environment)
    .filter(([name]) => name.endsWith('_PORT'))
    .map(([, port]) => Number(port));

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Ids of processes that have a folder, or something in it, as an argument or to stand in. */
function processesOn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describeIn(['all-in-one'], 'the start', () => {
  let folder: string;
  let environment: Environment;
  const programs: Program[] = [];

  beforeAll(build);
  afterAll(async () => {
    for (const program of programs) if (program.running) await program.end('SIGKILL');
  });

  /** A data folder and ports of its own; the path has spaces, as people's paths have. */
  async function newPlace(): Promise<void> {
    const { folder: made, temporary } = makeFolder();
    folder = made;
    const data = join(folder, 'my data');
    environment = {
      ...plainEnvironment(),
      TMPDIR: temporary,
      SALLYPORT_DATA_DIR: data,
      ...(await freePortVariables()),
    };
  }

  function start(args: readonly string[] = ['--json'], more: Environment = {}): Program {
    const program = runApp('all-in-one', args, { ...environment, ...more });
    programs.push(program);
    return program;
  }

  async function expectNothingLeft(): Promise<void> {
    expect(await Promise.all(portsOf(environment).map(isOpen))).not.toContain(true);
    expect(readdirSync(environment['TMPDIR']!)).toEqual([]);
    expect(processesOn(folder)).toEqual([]);
  }

  const authorized = (token: string | null) => ({ headers: { authorization: `Bearer ${token}` } });

  describe('again and again on one folder', () => {
    let first: ReadyLine;
    let running: Program;

    beforeAll(newPlace);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('draws the secrets, publishes the demo, and says all of it in one line', async () => {
      running = start();
      first = await readyLine(running);
      expect(running.stdout).toBe(`${JSON.stringify(first)}\n`);
      expect(first).toMatchObject({
        ready: true,
        adminToken: expect.any(String),
        apiKey: expect.stringMatching(/^sp_live_/),
      });
      expect((await call(`${first.ingress}/orders`, authorized(first.apiKey))).status).toBe(200);
      expect((await call(`${first.admin}/api/v1/services`, authorized(first.adminToken))).status).toBe(200);
    });

    it('opens the data door, the admin door, the health port and the demo, and nothing else', async () => {
      const open = await Promise.all(
        Object.entries(environment)
          .filter(([name]) => name.endsWith('_PORT'))
          .map(async ([name, port]) => ((await isOpen(Number(port))) ? name : undefined)),
      );
      expect(open.filter((name) => name !== undefined).sort()).toEqual([
        'SALLYPORT_CATALOG_HTTP_PORT',
        'SALLYPORT_DEMO_PORT',
        'SALLYPORT_INGRESS_HEALTH_PORT',
        'SALLYPORT_INGRESS_HTTP_PORT',
      ]);
    });

    it('refuses a second start on the folder while the first runs', async () => {
      const second = start(['--json'], await freePortVariables());
      expect((await second.end()).code).toBe(69);
      expect(second.stderr).toContain('in use');
      expect((await call(`${first.ingress}/orders`, authorized(first.apiKey))).status).toBe(200);
    });

    it('ends at Ctrl-C, and leaves no process, no socket and no temporary file', async () => {
      expect(await running.end('SIGINT')).toEqual({ code: 0, signal: null });
      await expectNothingLeft();
    });

    it('finds the data of before, and prints no secret again', async () => {
      running = start();
      const line = await readyLine(running);
      expect(line).toMatchObject({ ready: true, adminToken: null, apiKey: null });
      expect((await call(`${line.ingress}/orders`, authorized(first.apiKey))).status).toBe(200);
      expect((await call(`${line.admin}/api/v1/services`, authorized(first.adminToken))).status).toBe(200);
      const printed = running.stdout + running.stderr;
      expect([first.adminToken!, first.apiKey!].filter((secret) => printed.includes(secret))).toEqual([]);
    });

    it('recovers after kill -9, with what was answered before, and stops the Postgres that was left behind', async () => {
      const answer = await call(`${first.ingress}/orders`, authorized(first.apiKey));
      expect(answer.status).toBe(200);
      await running.end('SIGKILL');
      running = start();
      await readyLine(running);
      expect((await call(`${first.ingress}/orders`, authorized(first.apiKey))).status).toBe(200);
      const path = `/api/audit/v1/events?request=${answer.headers['x-sallyport-request-id']}`;
      await until('the record of the last answer before it was killed', async () => {
        const found = await call(first.admin + path, authorized(first.adminToken));
        return found.json<{ items: unknown[] }>().items.length === 1;
      });
      expect(await running.end('SIGTERM')).toEqual({ code: 0, signal: null });
      await expectNothingLeft();
    });

    it('tells a person the same in at most twelve lines, with two that can be pasted', async () => {
      running = runTool('start.mjs', [], environment);
      programs.push(running);
      await running.until('the last line', () => running.stdout.includes('embedded mode'), READY_MS);
      const lines = running.stdout.trimEnd().split('\n');
      expect(lines.length).toBeLessThanOrEqual(12);
      const curls = lines.filter((line) => line.trimStart().startsWith('curl '));
      expect(curls).toHaveLength(2);
      for (const line of curls) {
        expect(line).toContain('$SALLYPORT_KEY');
        const env = { ...plainEnvironment(), SALLYPORT_KEY: first.apiKey! };
        const pasted = new Program('sh', '/bin/sh', ['-c', line.replace('curl ', 'curl -sS -f ')], { env });
        const { code } = await pasted.end(undefined, PATIENCE_MS);
        // Where there is no curl nobody could paste it.
        if (code !== 127) expect({ code, said: pasted.stdout + pasted.stderr }).toMatchObject({ code: 0 });
      }
      expect((await running.end('SIGINT')).code).toBe(0);
      await expectNothingLeft();
    });
  });

  describe('with something in the way', () => {
    let blocker: Server;
    let withoutDatabase: Program;

    beforeAll(async () => {
      await newPlace();
      // Begun first, since it may try for half a minute.
      const ports = await freePortVariables();
      const temporary = join(folder, 't without a database');
      mkdirSync(temporary);
      withoutDatabase = start(['--json'], {
        ...ports,
        TMPDIR: temporary,
        SALLYPORT_DATA_DIR: join(folder, 'without a database'),
        SALLYPORT_DATABASE_URL: `postgresql://a:secret-word@127.0.0.1:${ports['SALLYPORT_AUDIT_GRPC_PORT']}/b`,
      });
    });
    afterEach(async () => {
      if (blocker?.listening) await new Promise((resolve) => blocker.close(resolve));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it.each([
      'SALLYPORT_INGRESS_HTTP_PORT',
      'SALLYPORT_CATALOG_HTTP_PORT',
      'SALLYPORT_INGRESS_HEALTH_PORT',
      'SALLYPORT_DEMO_PORT',
    ])('names the variable of a taken port: %s', async (name) => {
      const port = Number(environment[name]);
      blocker = createServer();
      await new Promise<void>((resolve) => blocker.listen(port, '127.0.0.1', resolve));
      const program = start();
      expect((await program.end()).code).toBe(69);
      const [line, ...more] = clearLines(program);
      expect(line).toContain(name);
      expect(line).toContain(String(port));
      expect(more).toEqual([]);
      await new Promise((resolve) => blocker.close(resolve));
      await expectNothingLeft();
    });

    it.each([
      ['a variable that is none', { SALLYPORT_INGRES_HTTP_PORT: '8000' }, 'SALLYPORT_INGRESS_HTTP_PORT'],
      ['a port that is none', { SALLYPORT_INGRESS_HTTP_PORT: 'eighty' }, 'SALLYPORT_INGRESS_HTTP_PORT'],
      ['a ratio above one', { SALLYPORT_TRACE_RATIO: '2' }, 'SALLYPORT_TRACE_RATIO'],
      ['a switch that is neither on nor off', { SALLYPORT_DEMO: 'maybe' }, 'SALLYPORT_DEMO'],
      ['a level of logs that is none', { SALLYPORT_LOG_LEVEL: 'loud' }, 'SALLYPORT_LOG_LEVEL'],
      ['an admin token that is too short', { SALLYPORT_ADMIN_TOKEN: 'short' }, 'SALLYPORT_ADMIN_TOKEN'],
      [
        'a secret in a file that is not there',
        { SALLYPORT_ADMIN_TOKEN_FILE: '/nowhere/at/all' },
        'SALLYPORT_ADMIN_TOKEN_FILE',
      ],
      ['a database URL that is none', { SALLYPORT_DATABASE_URL: 'nonsense' }, 'SALLYPORT_DATABASE_URL'],
    ])('says in one line that names the variable what is wrong with %s', async (_, more, name) => {
      const program = start(['--json'], more);
      expect({ exit: (await program.end()).code, said: program.stderr }).toMatchObject({ exit: 64 });
      const lines = clearLines(program);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(name);
      expect(program.stdout).toBe('');
    });

    it('fails loudly, and never falls back, where a database that was named does not answer', async () => {
      expect((await withoutDatabase.end(undefined, 120_000)).code).toBe(69);
      expect(clearLines(withoutDatabase)).toEqual([expect.stringMatching(/Postgres|database/i)]);
      expect(withoutDatabase.stderr).not.toContain('secret-word');
      expect(readdirSync(join(folder, 't without a database'))).toEqual([]);
    });
  });

  // Root becomes somebody else; anybody else is an ordinary user already, and has shown above that it works.
  (process.getuid?.() === 0 ? describe : describe.skip)('as an ordinary user', () => {
    let home: string;
    const nobody = { uid: 65_534, gid: 65_534 };

    beforeAll(async () => {
      await newPlace();
      home = mayRead(root, nobody) ? root : copyOfProduct();
    });
    afterAll(() => {
      if (home !== root) rmSync(home, { recursive: true, force: true });
      rmSync(folder, { recursive: true, force: true });
    });

    it('works too, on a folder of that user', async () => {
      const data = join(folder, 'its own');
      mkdirSync(data);
      chmodSync(data, 0o777);
      const env = { ...environment, HOME: data, SALLYPORT_DATA_DIR: join(data, 'data') };
      const program = runAs(home, { ...nobody, env, cwd: home });
      programs.push(program);
      const line = await readyLine(program);
      expect((await call(`${line.ingress}/orders`, authorized(line.apiKey))).status).toBe(200);
      expect((await program.end('SIGINT')).code).toBe(0);
      await expectNothingLeft();
    });
  });
});

const unstarted = missingServers.length > 0 ? describe.skip : describe;

describeIn(['cluster'], 'the start of a cluster', () => {
  beforeAll(build);

  it('needs what it cannot draw, and names all of it that is missing', async () => {
    const tool = runTool('start-cluster.mjs');
    expect((await tool.end()).code).toBe(64);
    for (const name of ['NATS_URL', 'DATABASE_URL', 'REDIS_URL', 'ADMIN_TOKEN', 'PEPPER']) {
      expect(tool.stderr).toContain(`SALLYPORT_${name}`);
    }
  });

  it.each(services)('says in one line what %s lacks when it is started alone', async (service) => {
    const program = runApp(service, [], { ...plainEnvironment(), ...(await freePortVariables()) });
    expect({ exit: (await program.end()).code, said: program.stderr }).toMatchObject({ exit: 64 });
    const lines = clearLines(program);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/SALLYPORT_[A-Z_]+/);
  });

  unstarted('with one command', () => {
    it('starts every service as a process, says so in one line, and ends all of them in order', async () => {
      const { folder, temporary } = makeFolder();
      const servers = [await startPostgres(), await startNats(join(folder, 'nats')), await startRedis(folder)] as const;
      const [postgres, nats, redis] = servers;
      const ports = await freePortVariables();
      const adminToken = `sp_admin_${randomBytes(24).toString('base64url')}`;
      const port = (name: string) => ports[`SALLYPORT_${name}_PORT`];
      const peers = ['AUTH', 'RATE_LIMIT', 'WAF', 'AI_ROUTER', 'AUDIT', 'CATALOG'].flatMap((name) => [
        [`SALLYPORT_${name}_GRPC_URL`, `dns:///127.0.0.1:${port(`${name}_GRPC`)}`],
        ...(name === 'CATALOG' ? [] : [[`SALLYPORT_${name}_ADMIN_URL`, `http://127.0.0.1:${port(`${name}_ADMIN`)}`]]),
      ]);
      const cluster = runTool('start-cluster.mjs', ['--json'], {
        ...ports,
        ...(Object.fromEntries(peers) as Environment),
        TMPDIR: temporary,
        SALLYPORT_DATA_DIR: join(folder, 'data'),
        SALLYPORT_DATABASE_URL: postgres.url,
        SALLYPORT_NATS_URL: nats.url,
        SALLYPORT_REDIS_URL: redis.url,
        SALLYPORT_ADMIN_TOKEN: adminToken,
        SALLYPORT_PEPPER: randomBytes(32).toString('base64url'),
      });
      try {
        const line = await readyLine(cluster);
        expect(line).toMatchObject({ ready: true, adminToken: null, apiKey: null });
        const answer = await until('the admin door knows its token', async () => {
          const asked = await call(`${line.admin}/api/v1/services`, {
            headers: { authorization: `Bearer ${adminToken}` },
          });
          return asked.status === 200 && asked;
        });
        expect(answer.json()).toMatchObject({ items: [] });
        expect((await call(`${line.ingress}/v1/models`)).status).toBe(401);
        expect(cluster.stderr).not.toContain(adminToken);
        expect((await cluster.end('SIGINT', 90_000)).code).toBe(0);
        expect(await Promise.all(portsOf(ports).map(isOpen))).not.toContain(true);
        expect(readdirSync(temporary)).toEqual([]);
      } finally {
        if (cluster.running) await cluster.end('SIGTERM', 90_000);
        for (const server of servers) await server.close();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
});

/** What a person would read: not our records, which are for machines, nor the progress of the start. */
function clearLines({ stderr }: Program): string[] {
  return stderr.split('\n').filter((line) => /^\s*sallyport [a-z-]+: /.test(line));
}

function mayRead(folder: string, user: { readonly uid: number; readonly gid: number }): boolean {
  const file = join(folder, 'dist', '.build.json');
  return (
    spawnSync(process.execPath, ['-e', `fs.readFileSync(${JSON.stringify(file)})`], { ...user, cwd: '/' }).status === 0
  );
}

/** Everything that a running product reads, where another user may read it. */
function copyOfProduct(): string {
  const home = mkdtempSync(join(tmpdir(), 'sp-user-'));
  for (const name of ['dist', 'package.json', 'proto', 'examples', 'node_modules']) {
    cpSync(join(root, name), join(home, name), { recursive: true, verbatimSymlinks: true });
  }
  chmodSync(home, 0o755);
  return home;
}

function runAs(home: string, options: ProgramOptions): Program {
  const main = join(home, 'dist', 'apps', 'all-in-one', 'src', 'main.js');
  return new Program('all-in-one as nobody', process.execPath, [...nodeOptions, main, '--json'], {
    ...options,
    channel: true,
  });
}
