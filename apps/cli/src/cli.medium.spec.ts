import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const program = join(__dirname, '..', 'bin', 'sallyport.cjs');
const TOKEN = 'kX8s0pQvV1m3n5b7c9d1f3g5';
const KEY = 'sp_live_0texR7EsbFIxyz';
const key = {
  kid: '0texR7EsbFI',
  name: 'demo',
  consumer: 'demo',
  services: ['*'],
  models: ['echo'],
  rate: { limit: 60, window: '60s' },
  budgetUsdPerMonth: '5',
  lastFour: 'wxyz',
  status: 'active',
  expiresAt: '2027-02-23T07:27:18.091Z',
};
const fileText =
  'sallyport: 1\nservices:\n  - name: pets\n    upstream:\n      targets: [{ url: "https://pets.example" }]\n';

interface Seen {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let server: Server;
let url: string;
let seen: Seen[];
let watchers: ServerResponse[];
let onWatch: () => void;
/** Whether the list of keys has always a next page. */
let endless: boolean;
/** Milliseconds a changeset takes. */
let applying: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sp cli-'));
  server = createServer((request, response) => {
    void answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => {
  seen = [];
  watchers = [];
  onWatch = () => undefined;
  endless = false;
  applying = 0;
});

/** What the admin door and the data door say, as far as the command line listens. */
const answers: Readonly<Record<string, (body: string) => { status?: number; body: unknown }>> = {
  'GET /problems/route-not-found': () => ({ body: 'ROUTE_NOT_FOUND' }),
  'GET /api/v1/config/status': () => ({
    body: { revision: 'c_2', nodes: [{ node: 'a', app: 'ingress', revision: 'c_2', current: true }] },
  }),
  'GET /api/auth/v1/keys': () => ({ body: { items: [key], next: endless ? 'more' : null } }),
  [`GET /api/auth/v1/keys/${key.kid}`]: () => ({ body: key }),
  'POST /api/auth/v1/keys': (body) =>
    (JSON.parse(body) as typeof key).name === key.name
      ? problem(409, 'AUTH_KEY_CONFLICT', 'An active key named “demo” exists.')
      : { status: 201, body: { ...key, ...(JSON.parse(body) as object), rate: key.rate, key: KEY } },
  [`DELETE /api/auth/v1/keys/${key.kid}`]: () => ({ body: { ...key, status: 'revoked' } }),
  'GET /api/limits/v1/status': () => ({ body: { up: true } }),
  'GET /api/waf/v1/status': () => problem(503, 'ADMIN_UNAVAILABLE', 'waf is not available.'),
  'GET /api/ai/v1/models': () => ({
    body: { items: [{ name: 'fast', targets: [{ provider: 'acme', wire: 'openai-chat', credential: 'missing' }] }] },
  }),
  'GET /api/audit/v1/health': () => ({
    body: { ingesting: true, lag_seconds: 0, records: 4, gaps: [], quarantined: 0, default_rows: 0 },
  }),
  'GET /api/audit/v1/events': () => ({ body: { items: [record(2, '/two'), record(1, '/one')], next: null } }),
  'POST /api/v1/changesets': () => ({
    body: {
      dryRun: false,
      revision: 'c_3',
      changes: [{ action: 'create', type: 'service', name: 'pets' }],
      findings: [{ severity: 'warning', where: '/services/0/x', message: 'it is odd', fix: 'Even it.' }],
    },
  }),
  'POST /v1/chat/completions': (body) =>
    (JSON.parse(body) as { model: string }).model === 'nope'
      ? { status: 404, body: { error: { message: 'There is no model “nope”.', code: 'model_not_found' } } }
      : { body: { choices: [{ message: { content: 'hel\u001blo' } }], usage: { total_tokens: 2 } } },
};

function problem(status: number, code: string, detail: string) {
  return { status, body: { code, detail, status } };
}

function record(position: number, path: string) {
  return {
    position,
    at: '2026-11-25T07:27:28.454Z',
    http_request: { http_method: 'GET', url: { path } },
    http_response: { code: 200, latency: 3 },
    unmapped: { sallyport: { outcome: 'ok', credential: { id: key.kid }, request_id: `req_${position}` } },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const part of request) body += String(part);
  const [path = ''] = (request.url ?? '').split('?');
  seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
  response.setHeader('x-sallyport-request-id', 'req_fake');
  const admin = path.startsWith('/api/');
  const local = 'path' in (request.socket.address() as object) || request.socket.remoteAddress === undefined;
  if (admin && !local && request.headers.authorization !== `Bearer ${TOKEN}`) {
    response.writeHead(401).end(JSON.stringify(problem(401, 'AUTH_REQUIRED', 'This address needs a credential.').body));
    return;
  }
  if (path === '/api/audit/v1/events/live') {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
    watchers.push(response);
    onWatch();
    return;
  }
  if (path === '/v1/chat/completions' && body.includes('"stream":true') && !body.includes('nope')) {
    const parts = body.includes('broken') ? ['hel'] : ['hel', 'lo'];
    for (const content of parts) response.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
    response.end(body.includes('broken') ? '' : 'data: [DONE]\n\n');
    return;
  }
  if (path === '/api/v1/changesets') await new Promise((resolve) => setTimeout(resolve, applying));
  const known = answers[`${request.method} ${path}`];
  const { status = 200, body: document } = known ? known(body) : problem(404, 'ROUTE_NOT_FOUND', 'No such thing.');
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}

interface Start {
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly directory?: string;
  readonly file?: string;
}

function start(args: readonly string[], { environment = { SALLYPORT_ADMIN_TOKEN: TOKEN }, ...more }: Start = {}) {
  const child = spawn(process.execPath, [more.file ?? program, ...args], {
    cwd: more.directory ?? folder,
    env: { PATH: process.env['PATH'], SALLYPORT_URL: url, SALLYPORT_PUBLIC_URL: url, ...environment },
    timeout: 30_000,
  });
  child.stdin.end(more.input ?? '');
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (part) => (stdout += String(part)));
  child.stderr.on('data', (part) => (stderr += String(part)));
  const result = new Promise<Result>((resolve) =>
    // Compiling first is said on standard error, and is no part of what a command says.
    child.once('close', (code) => resolve({ code, stdout, stderr: stderr.replace(/^Buil(ding|t).*\n/gm, '') })),
  );
  return { child, result };
}

function sallyport(args: readonly string[], more?: Start): Promise<Result> {
  return start(args, more).result;
}

describe('the sallyport command', () => {
  it('runs from any folder, by a link, and from a path with spaces', async () => {
    const linked = join(folder, 'sally port');
    await symlink(program, linked);
    expect(await sallyport(['--version'], { file: linked })).toMatchObject({ code: 0, stdout: '0.1.0\n' });
  });

  it('says what to set when it has no credential', async () => {
    const { code, stdout, stderr } = await sallyport(['key', 'list'], { environment: {} });
    expect({ code, stdout }).toEqual({ code: 77, stdout: '' });
    expect(stderr).toContain('set SALLYPORT_ADMIN_TOKEN or SALLYPORT_ADMIN_TOKEN_FILE');
  });

  it('reads the token from a file, and presents it as the command line', async () => {
    const file = join(folder, 'token');
    await writeFile(file, `${TOKEN}\n`);
    expect((await sallyport(['key', 'list'], { environment: { SALLYPORT_ADMIN_TOKEN_FILE: file } })).code).toBe(0);
    expect(seen[0]!.headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'x-sallyport-via': 'cli' });
  });

  it('uses the socket of this host without a token, but never for another server', async () => {
    const data = join(folder, 'data');
    await mkdir(data);
    const socket = join(folder, 's');
    const door = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => door.listen(socket, resolve));
    await writeFile(join(data, 'admin.sock.path'), `${socket}\n`);
    const listed = await sallyport(['key', 'list'], { environment: { SALLYPORT_URL: '', SALLYPORT_DATA_DIR: data } });
    const elsewhere = await sallyport(['key', 'list'], { environment: { SALLYPORT_DATA_DIR: data } });
    await new Promise((resolve) => door.close(resolve));
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(seen[0]!.headers.authorization).toBeUndefined();
    expect(elsewhere.code).toBe(77);
  });

  it('ends with 69 where nobody listens, and names the place', async () => {
    const { code, stderr } = await sallyport(['key', 'list', '--server', 'http://127.0.0.1:1']);
    expect(code).toBe(69);
    expect(stderr).toContain('http://127.0.0.1:1 does not answer: the connection was refused');
    expect(stderr).toContain('npm start');
  });

  it('ends with 77 when the token is not accepted, naming code and request', async () => {
    const environment = { SALLYPORT_ADMIN_TOKEN: 'another-token-of-some-length' };
    const { code, stderr } = await sallyport(['key', 'list'], { environment });
    expect(code).toBe(77);
    expect(stderr).toContain('AUTH_REQUIRED');
    expect(stderr).toContain('req_fake');
    expect(stderr).not.toContain(environment.SALLYPORT_ADMIN_TOKEN);
  });

  it('ends with 64 and one JSON document for what it does not know', async () => {
    const { code, stdout } = await sallyport(['doctr', '--json']);
    expect(code).toBe(64);
    expect(JSON.parse(stdout)).toMatchObject({ error: { exitCode: 64, next: 'sallyport doctor --help' } });
  });
});

describe('sallyport key', () => {
  it('prints the new key alone on standard output', async () => {
    const args = [
      'key',
      'create',
      'billing',
      '--service',
      'orders',
      '--limit',
      '10',
      '--window',
      '1m',
      '--expires',
      '9d',
    ];
    const { code, stdout, stderr } = await sallyport(args);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${KEY}\n` });
    expect(stderr).toContain('shown once');
    expect(JSON.parse(seen[0]!.body)).toEqual({
      name: 'billing',
      services: ['orders'],
      rate: { limit: 10, window: '1m' },
      expiresIn: '9d',
    });
  });

  it('mints nothing on a dry run', async () => {
    expect((await sallyport(['key', 'create', 'billing', '--dry-run'])).code).toBe(0);
    expect((await sallyport(['key', 'create', 'demo', '--dry-run'])).stderr).toContain('AUTH_KEY_CONFLICT');
    expect((await sallyport(['key', 'revoke', 'demo', '--dry-run'])).stdout).toContain('would revoke key demo');
    const writes = seen.filter(({ line }) => !line.startsWith('GET ')).map(({ line }) => line);
    expect(new Set(writes)).toEqual(new Set(['POST /api/auth/v1/keys?dryRun=true']));
  });

  it('shows a conflict with the command that helps', async () => {
    const { code, stderr } = await sallyport(['key', 'create', 'demo']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/✘ AUTH_KEY_CONFLICT .*\n {2}request {2}req_fake\n {2}next {5}sallyport key list/);
  });

  it('revokes by name or kid, and knows the nearest name', async () => {
    expect((await sallyport(['key', 'revoke', 'demo'])).stdout).toBe('revoked key demo (kid 0texR7EsbFI)\n');
    expect((await sallyport(['key', 'revoke', key.kid, '--json'])).stdout).toContain('"status":"revoked"');
    const { code, stderr } = await sallyport(['key', 'revoke', 'dmeo']);
    expect(code).toBe(1);
    expect(stderr).toContain('Did you mean “demo”?');
  });

  it('revokes by kid however many keys there are, and says when it has not seen them all', async () => {
    endless = true;
    expect((await sallyport(['key', 'revoke', key.kid])).code).toBe(0);
    expect(seen.map(({ line }) => line)).toEqual([
      `GET /api/auth/v1/keys/${key.kid}`,
      `DELETE /api/auth/v1/keys/${key.kid}`,
    ]);
    const listed = await sallyport(['key', 'list', '--json']);
    expect([listed.code, JSON.parse(listed.stdout)]).toMatchObject([
      1,
      { error: { message: 'There are more than 10000 keys.' } },
    ]);
    expect((await sallyport(['key', 'revoke', 'dmeo'])).stderr).toContain('name the key by its kid');
  });

  it('lists keys as a table, or as one document', async () => {
    expect((await sallyport(['key', 'list'])).stdout).toMatch(/^NAME .*\ndemo {2}0texR7EsbFI .* 23 Feb 2027\n$/);
    expect(JSON.parse((await sallyport(['key', 'list', '--json'])).stdout)).toEqual({ items: [key] });
  });
});

describe('sallyport apply', () => {
  it('sends a file as it was written, and tells what changed and what is odd', async () => {
    await writeFile(join(folder, 'pets.yaml'), fileText);
    const { code, stdout, stderr } = await sallyport(['apply', '-f', 'pets.yaml']);
    expect(code).toBe(0);
    expect(stdout).toBe('create  service  pets\n1 change in revision c_3\n');
    expect(stderr).toBe('! warning  /services/0/x: it is odd. Even it.\n');
    expect(seen).toMatchObject([{ line: 'POST /api/v1/changesets' }]);
    expect(JSON.parse(seen[0]!.body)).toEqual({
      sallyport: 1,
      services: [{ name: 'pets', upstream: { targets: [{ url: 'https://pets.example' }] } }],
    });
  });

  it('reads standard input, and asks the server for a dry run', async () => {
    expect((await sallyport(['apply', '-f', '-', '--dry-run', '--json'], { input: fileText })).code).toBe(0);
    expect(seen[0]!.line).toBe('POST /api/v1/changesets?dryRun=true');
  });

  it('sends nothing of a file with a fault, and says where it is', async () => {
    const { code, stderr } = await sallyport(['apply', '-f', '-'], { input: fileText.replace('upstream', 'upstrem') });
    expect(code).toBe(1);
    expect(stderr).toContain('<stdin>:4:5 /services/0/upstrem: unknown member “upstrem”; did you mean “upstream”?');
    expect(seen).toEqual([]);
  });

  it('waits for an answer as long as a large file takes', async () => {
    applying = 10_500;
    expect((await sallyport(['apply', '-f', '-'], { input: fileText })).code).toBe(0);
  });

  it('ends with 64 for a file that is not there', async () => {
    expect(await sallyport(['apply', '-f', 'none.yaml'])).toMatchObject({ code: 64, stdout: '' });
  });

  it('ends with 64 for a file in another encoding, and sends nothing of it', async () => {
    await writeFile(join(folder, 'latin1.yaml'), Buffer.from(`# für alle\n${fileText}`, 'latin1'));
    const { code, stderr } = await sallyport(['apply', '-f', 'latin1.yaml']);
    expect([code, seen]).toEqual([64, []]);
    expect(stderr).toContain('latin1.yaml is not written in UTF-8.');
  });
});

describe('sallyport chat', () => {
  const environment = { SALLYPORT_KEY: KEY };

  it('prints an answer as it comes, or whole, without control characters', async () => {
    expect(await sallyport(['chat', 'hi'], { environment })).toMatchObject({ code: 0, stdout: 'hello\n' });
    expect((await sallyport(['chat', 'hi', '--no-stream'], { environment })).stdout).toBe('hel�lo\n');
    expect(seen.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${KEY}`, `Bearer ${KEY}`]);
  });

  it('says so when an answer ends early', async () => {
    const { code, stdout, stderr } = await sallyport(['chat', 'broken'], { environment });
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'hel\n' });
    expect(stderr).toContain('The answer ended early.');
  });

  it('shows a refusal in its own words', async () => {
    const { code, stderr } = await sallyport(['chat', 'hi', '-m', 'nope'], { environment });
    expect(code).toBe(1);
    expect(stderr).toContain('✘ model_not_found  There is no model “nope”.');
  });

  it('says how to get a key when there is none', async () => {
    const { code, stderr } = await sallyport(['chat', 'hi']);
    expect(code).toBe(77);
    expect(stderr).toContain('export SALLYPORT_KEY=$(sallyport key create');
  });
});

describe('sallyport tail', () => {
  it('shows the last requests, oldest first, by the names of their keys', async () => {
    const { code, stdout } = await sallyport(['tail', '--no-follow']);
    expect(code).toBe(0);
    expect(stdout.replaceAll(/^\S+ /gm, '')).toBe(
      '200 GET /one key=demo 3 ms req_1\n200 GET /two key=demo 3 ms req_2\n',
    );
  });

  it('follows, shows nothing twice, and ends well when interrupted', async () => {
    const watched = new Promise<void>((resolve) => (onWatch = resolve));
    const { child, result } = start(['tail', '-n', '1', '--json']);
    await watched;
    const event = (position: number) =>
      `event: request.completed\ndata: ${JSON.stringify(record(position, '/new'))}\n\n`;
    watchers[0]!.write(event(2) + event(3));
    await new Promise<void>((resolve) =>
      child.stdout.on('data', (part) => {
        if (String(part).includes('req_3')) resolve();
      }),
    );
    child.kill('SIGINT');
    const { code, stdout } = await result;
    expect(code).toBe(0);
    const positions = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { position: number }).position);
    expect(positions).toEqual([2, 3]);
  });
});

describe('sallyport doctor', () => {
  it('lists every check with its fix, and ends with 1 when one failed', async () => {
    const { code, stdout } = await sallyport(['doctor', '--json']);
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: { id: string; state: string; fix: unknown }[] };
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    const state = Object.fromEntries(checks.map((check) => [check.id, check.state]));
    expect(state).toMatchObject({ gateway: 'ok', admin: 'ok', 'area-auth': 'ok', configuration: 'ok', clock: 'ok' });
    expect(checks.filter((check) => check.state === 'failed').map(({ id }) => id)).toEqual(['area-waf', 'models']);
    expect(checks.every((check) => (check.state === 'ok') === (check.fix === null))).toBe(true);
  });

  it('measures the spool of this host', async () => {
    const data = join(folder, 'host');
    await mkdir(join(data, 'spool'), { recursive: true });
    const environment = { SALLYPORT_ADMIN_TOKEN: TOKEN, SALLYPORT_DATA_DIR: data };
    const { stdout } = await sallyport(['doctor'], { environment });
    expect(stdout).toMatch(/audit spool .*host\/spool: fsync \d+\.\d ms/);
  });

  it('still tells what it can when nothing runs', async () => {
    const { code, stdout } = await sallyport(['doctor', '--gateway', 'http://127.0.0.1:1'], { environment: {} });
    expect(code).toBe(1);
    expect(stdout).toContain('✘ gateway http://127.0.0.1:1 does not answer');
    expect(stdout).toContain('✘ No credential');
    expect(stdout).toContain('✔ Node ');
  });
});

describe('crs remove', () => {
  it.each(['4.28.0', 'crs-4.28.0'])(
    'takes the release %s away, by its own name and by that of its rule set',
    async (name) => {
      const data = join(folder, `data of ${name}`);
      await mkdir(join(data, 'crs', '4.28.0'), { recursive: true });
      expect(await sallyport(['crs', 'remove', name, '--data', data])).toMatchObject({
        code: 0,
        stdout: 'removed crs-4.28.0\n',
      });
      expect(await readdir(join(data, 'crs'))).toEqual([]);
      expect((await sallyport(['crs', 'remove', name, '--data', data])).stderr).toContain(
        'crs-4.28.0 is not installed',
      );
    },
  );
});
