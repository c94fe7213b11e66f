import { createServer, type Server, type Socket } from 'node:net';
import { connect, type AddressInfo } from 'node:net';
import { freePorts, startFakeVendor, type FakeVendor } from '@sallyport/testkit';
import { call, type Answer, type Call } from './calls';
import { patientWaf, type AuditRecord, type MintedKey, type Product } from './product';
import { PATIENCE_MS, until, within } from './waiting';

const BODY_LIMIT = 1_000;

/** What must never reach a caller: frames of a stack, paths of our sources, words of our libraries. */
const INNARDS = /\n\s+at |node_modules|\.(ts|js):\d+|dist\/|TypeORM|QueryFailed|ECONNREFUSED|SyntaxError/;

/** What is wrong on either side is answered with a documented error, and with nothing of our insides. */
export function describeBadInput(product: () => Product): void {
  let minted: MintedKey;
  let upstream: Faulty;
  let vendor: FakeVendor;

  beforeAll(async () => {
    [upstream, vendor] = await Promise.all([startFaulty(), startFakeVendor()]);
    const [nobody] = await freePorts(1);
    const at = (port: number) => ({
      targets: [{ url: `http://127.0.0.1:${port}` }],
      allowPrivate: true,
      timeout: { connect: '2s', firstByte: '300ms', idle: '300ms' },
      // Every call is to meet what the upstream does, and not what is thought of it by now.
      breaker: false as const,
      retry: false as const,
    });
    await product().publish({
      services: [
        { name: 'down', upstream: at(nobody!), policies: [patientWaf] },
        {
          name: 'faulty',
          upstream: at(upstream.port),
          policies: [{ 'body-limit': { maxBytes: BODY_LIMIT } }, patientWaf],
        },
      ],
      accounts: [{ name: 'faulty', provider: 'faulty', baseUrl: vendor.baseUrl, allowPrivate: true }],
      models: [{ name: 'faulty', fallback: [{ account: 'faulty', model: 'any' }] }],
    });
    minted = await product().apiKey({ name: 'clumsy' });
  });
  afterAll(() => Promise.all([upstream?.close(), vendor?.close()]));

  const data = (path: string, request: Call = {}) => product().get(path, minted.key, request);
  const chat = (body: unknown, request: Call = {}) => data('/v1/chat/completions', { body, ...request });
  const json = { 'content-type': 'application/json' };

  /** Checks a problem document, and that the page it names exists on the data door. */
  async function expectProblem(answer: Answer, status: number, code: string): Promise<Record<string, unknown>> {
    expect(answer.text).not.toMatch(INNARDS);
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status });
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    const problem = answer.json<Record<string, unknown>>();
    expect(problem).toMatchObject({ status, code, request_id: answer.headers['x-sallyport-request-id'] });
    await expectPage(String(problem['docs']));
    return problem;
  }

  async function expectOpenAiError(answer: Answer, status: number, error: Record<string, unknown>): Promise<void> {
    expect(answer.text).not.toMatch(INNARDS);
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status });
    expect(answer.json()).toMatchObject({ error: { message: expect.any(String), ...error } });
  }

  async function expectPage(url: string): Promise<void> {
    expect(url).toMatch(/^https?:\/\/.+\/problems\/[a-z-]+$/);
    expect((await product().get(new URL(url).pathname)).status).toBe(200);
  }

  it('has a page for every code it lists', async () => {
    const { text } = await product().get('/problems');
    const pages = [...text.matchAll(/^(\/problems\/\S+)/gm)].map(([, path]) => path!);
    expect(pages.length).toBeGreaterThan(40);
    const answers = await Promise.all(pages.map((path) => product().get(path)));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  });

  describe('at the admin door', () => {
    const post = (body: unknown, headers = {}) => product().admin('/api/v1/changesets', { body, headers });

    it('answers 400 to broken JSON', async () => {
      await expectProblem(await post('{"sallyport": 1,', json), 400, 'REQUEST_MALFORMED');
    });

    it('answers 422 to members it does not know, and points at each', async () => {
      const services = [{ name: 'typo', upstrem: { targets: [] } }];
      const problem = await expectProblem(await post({ sallyport: 1, services }), 422, 'SCHEMA_VIOLATION');
      expect(problem['errors']).toContainEqual(expect.objectContaining({ pointer: '/services/0/upstrem' }));
    });

    it('keeps nothing of a document that is wrong in part', async () => {
      const good = { name: 'half', upstream: { targets: [{ url: 'http://127.0.0.1:1' }], allowPrivate: true } };
      const bad = { ...good, name: 'other', policies: [{ 'no-such-policy': {} }] };
      const answer = await post({ sallyport: 1, services: [good, bad] });
      await expectProblem(answer, 422, 'SCHEMA_VIOLATION');
      await expectProblem(await product().admin('/api/v1/services/half'), 404, 'CATALOG_NOT_FOUND');
    });

    it.each(['/api/v1/services', '/api/auth/v1/keys', '/api/audit/v1/events', '/api/ai/v1/receipts'])(
      'answers 401 at %s to a token that is none',
      async (path) => {
        const answer = await product().admin(path, { headers: { authorization: 'Bearer wrong' } });
        await expectProblem(answer, 401, 'AUTH_REQUIRED');
      },
    );

    it.each(['/api/auth/v1/keys', '/api/v1/services'])(
      'answers 422 at %s to members it does not know',
      async (path) => {
        const answer = await product().admin(path, { body: { name: 'ok', surprise: true } });
        const problem = await expectProblem(answer, 422, 'SCHEMA_VIOLATION');
        expect(problem['errors']).toEqual([expect.objectContaining({ pointer: '/surprise' })]);
      },
    );

    it('answers 413 to a body that is announced as larger than a configuration may be', async () => {
      const { adminUrl, adminToken } = product();
      const answer = await rawCall(adminUrl, [announce('/api/v1/changesets', adminToken, 6 * 1024 * 1024)]);
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(answer).toContain('BODY_TOO_LARGE');
      expect(answer).not.toMatch(INNARDS);
    });

    it('answers 404 where there is nothing', async () => {
      expect((await product().admin('/api/nothing/v1')).status).toBe(404);
      expect((await product().admin('/api/v1/nothing')).text).not.toMatch(INNARDS);
    });

    it('refuses a host that is not its own, as after DNS rebinding', async () => {
      const answer = await product().admin('/api/v1/services', { headers: { host: 'evil.example' } });
      await expectProblem(answer, 403, 'ADMIN_HOST_REFUSED');
    });
  });

  describe('at the model endpoint', () => {
    it('answers 400 to broken JSON', async () => {
      await expectOpenAiError(await chat('{"model":', { headers: json }), 400, { type: 'invalid_request_error' });
    });

    it('answers 400 to a body without a model', async () => {
      await expectOpenAiError(await chat({ messages: [] }), 400, { type: 'invalid_request_error' });
    });

    it('answers 401 to a key that is wrong', async () => {
      const answer = await product().get('/v1/chat/completions', 'sp_live_wrong', { body: { model: 'echo' } });
      await expectOpenAiError(answer, 401, { code: 'invalid_api_key' });
    });

    it('answers 413 to a body that is announced above ten megabytes', async () => {
      const bytes = announce('/v1/chat/completions', minted.key, 11 * 1024 * 1024);
      const answer = await rawCall(product().ingressUrl, [bytes]);
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(answer).toContain('"error":{');
      expect(answer).not.toMatch(INNARDS);
    });

    it('answers 502 when the vendor answers nonsense', async () => {
      vendor.script({ rawBody: '<html>', contentType: 'text/html' });
      await expectOpenAiError(await chat({ model: 'faulty', messages: [{ role: 'user', content: 'a' }] }), 502, {});
    });

    it('answers 502 when the vendor cuts the connection', async () => {
      vendor.script({ fault: 'reset-before-head' });
      await expectOpenAiError(await chat({ model: 'faulty', messages: [{ role: 'user', content: 'a' }] }), 502, {});
    });
  });

  describe('at a published API', () => {
    it.each([
      ['that is none of ours', 'sp_live_wrong'],
      ['that was made up', `sp_live_${'A'.repeat(60)}`],
      ['that is no token either', 'eyJhbGciOiJub25lIn0.e30.'],
    ])('answers 401 to a key %s', async (_, key) => {
      const answer = await product().get('/faulty', key);
      await expectProblem(answer, 401, answer.json<{ code: string }>().code);
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    });

    it('answers 404 to a path that nothing serves', async () => {
      await expectProblem(await data('/nothing'), 404, 'ROUTE_NOT_FOUND');
    });

    it('answers 413 to an announced body above the limit, before it is sent', async () => {
      await expectProblem(await data('/faulty', { body: 'x'.repeat(BODY_LIMIT + 1) }), 413, 'BODY_TOO_LARGE');
      expect(upstream.requests.filter((text) => text.includes('xxxx'))).toEqual([]);
    });

    it('answers 413 to a chunked body that grows above the limit', async () => {
      const answer = await rawCall(product().ingressUrl, [
        `POST /faulty HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${minted.key}\r\nTransfer-Encoding: chunked\r\n\r\n`,
        `400\r\n${'y'.repeat(1_024)}\r\n`,
        `400\r\n${'y'.repeat(1_024)}\r\n0\r\n\r\n`,
      ]);
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(answer).toContain('BODY_TOO_LARGE');
      expect(answer).not.toMatch(INNARDS);
    });

    it.each([
      ['two hosts', 'GET /faulty HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
      [
        'two framings',
        'POST /faulty HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        400,
      ],
      ['a path that climbs', 'GET /faulty/%2e%2e/secret HTTP/1.1\r\nHost: a\r\n\r\n', 400],
      ['no HTTP at all', '\x16\x03\x01\x00\x00\r\n\r\n', 400],
    ])('answers %s with a document', async (_, bytes, status) => {
      const answer = await rawCall(product().ingressUrl, [bytes]);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answer).toContain('"code":"');
      expect(answer).not.toMatch(INNARDS);
    });

    it('answers 502 when the upstream is down', async () => {
      await expectProblem(await data('/down'), 502, 'UPSTREAM_UNREACHABLE');
    });

    it('answers 504 when the upstream is silent', async () => {
      await expectProblem(await data('/faulty/silent'), 504, 'UPSTREAM_TIMEOUT');
    });

    it('answers 502 when the upstream hangs up before it has answered', async () => {
      await expectProblem(await data('/faulty/hang-up'), 502, 'UPSTREAM_BROKE');
    });

    it('answers 502 when the upstream speaks no HTTP', async () => {
      await expectProblem(await data('/faulty/nonsense'), 502, 'UPSTREAM_BROKE');
    });

    it('cuts an answer that the upstream broke off, so that nobody takes it for whole, and has it on record', async () => {
      await expect(data('/faulty/half')).rejects.toThrow();
      const record = await until('the record of the answer that was cut', async () => {
        const found = await product().admin('/api/audit/v1/events?resource=/faulty/half');
        return found.json<{ items: AuditRecord[] }>().items[0];
      });
      expect(record.unmapped.sallyport).toMatchObject({ code: 'UPSTREAM_BROKE', outcome: 'upstream_error' });
    });

    it('has every refusal on record', async () => {
      const answer = await data('/faulty/silent');
      const record = await product().recordOf(answer.headers['x-sallyport-request-id']!);
      expect(record.unmapped.sallyport).toMatchObject({ code: 'UPSTREAM_TIMEOUT', outcome: 'upstream_timeout' });
    });
  });

  it('answers on after all of that', async () => {
    expect((await call(`${product().ingressUrl}/problems`)).status).toBe(200);
    expect((await product().admin('/api/v1/services')).status).toBe(200);
  });
}

interface Faulty {
  readonly port: number;
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** An upstream that does what the path asks for, and nothing right. */
async function startFaulty(): Promise<Faulty> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      requests.push(text);
      if (text.includes('/hang-up')) socket.destroy();
      else if (text.includes('/nonsense')) socket.end('SSH-2.0-OpenSSH_9.2\r\n');
      else if (text.includes('/half')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly half of it');
      else if (!text.includes('/silent')) socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The head of a request whose body will not be sent: it is refused for its length, before it could be. */
function announce(path: string, token: string, bytes: number): string {
  const fields = `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${bytes}`;
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}\r\n\r\n`;
}

/** Sends bytes as they are, one write after the other, and gives back all that comes until the other side closes. */
async function rawCall(origin: string, writes: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  let answer = '';
  const ended = new Promise<string>((resolve) => {
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(answer));
  });
  for (const bytes of writes) socket.write(bytes, 'latin1');
  return within(PATIENCE_MS, 'the connection is closed', ended).finally(() => socket.destroy());
}
