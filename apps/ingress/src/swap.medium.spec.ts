import { Agent } from 'node:http';
import { createHash } from 'node:crypto';
import type { Snapshot } from '@sallyport/contracts';
import { publishDocument, publishSnapshot } from '@sallyport/platform';
import { someRoute } from '@sallyport/testkit';
import { IngressUnderTest, RecordingUpstream, someSnapshot, someUpstream, until } from './ingress-under-test';

/** As the contract says; the chaos harness does it for a minute, over processes. */
const RELOAD_EVERY_MS = 200;
const REQUESTS_A_SECOND = 300;
const SECONDS = 10;

const anonymous = { anonymous: true, kinds: ['api-key' as const], trust: [], scopes: [] };

describe('a configuration that is swapped under load', () => {
  let ingress: IngressUnderTest;
  let upstream: RecordingUpstream;
  let revision = 0;
  const errors: { field?: string; reason: string; kept?: string }[] = [];

  beforeAll(async () => {
    upstream = await RecordingUpstream.listen();
    // Says by which path it was called; every revision has an upstream with a path of its own.
    upstream.respond = (incoming, response) => response.end(incoming.url);
    ingress = await IngressUnderTest.start({ config: { showConfigVersion: true } });
    Object.assign(ingress.runtime.logger, { error: (about: (typeof errors)[number]) => void errors.push(about) });
  });
  afterAll(async () => {
    await ingress.close();
    await upstream.close();
  });

  const get = async (path: string, agent?: Agent): Promise<Answer> => {
    try {
      const { status, fields, body } = await ingress.ask(path, agent && { agent });
      return { status, version: fields['x-sallyport-config-version'] as string | undefined, body };
    } catch (error) {
      return { status: 0, version: undefined, body: (error as Error).message };
    }
  };
  const next = (): Snapshot => snapshotOf(++revision, upstream.url);
  const publish = async (): Promise<void> => {
    await publishSnapshot(ingress.runtime.bus, next());
    await ingress.inForce(`c_${revision}`, 20_000);
  };

  it(
    `rel-T50 loses nothing, and answers every request from one revision: ${SECONDS} s at ${REQUESTS_A_SECOND} a second`,
    async () => {
      await publish();
      const agent = new Agent({ keepAlive: true, maxSockets: 40 });
      const answers: Promise<Answer>[] = [];
      const begun = performance.now();
      let reloads = 0;
      let reloading: Promise<void> = Promise.resolve();
      await new Promise<void>((resolve) => {
        const timer = setInterval(() => {
          const passed = performance.now() - begun;
          const due = Math.min(SECONDS * REQUESTS_A_SECOND, Math.floor((passed / 1000) * REQUESTS_A_SECOND));
          while (answers.length < due) answers.push(get(`/busy/${answers.length}`, agent));
          if (passed / RELOAD_EVERY_MS > reloads) {
            reloads++;
            reloading = reloading.then(() => publishSnapshot(ingress.runtime.bus, next()));
          }
          if (answers.length < SECONDS * REQUESTS_A_SECOND) return;
          clearInterval(timer);
          resolve();
        }, 5);
      });
      const all = await Promise.all(answers);
      await reloading;
      agent.destroy();
      const failed = all.filter(({ status }) => status !== 200);
      expect(failed).toEqual([]);
      const torn = all.filter(({ version, body }, at) => body !== `/${version}/${at}`);
      expect(torn).toEqual([]);
      expect(all).toHaveLength(SECONDS * REQUESTS_A_SECOND);
      // A reader that is behind goes straight to the newest head.
      expect(new Set(all.map(({ version }) => version)).size).toBeGreaterThan(reloads / 10);
    },
    (SECONDS + 170) * 1000,
  );

  describe('rel-T51 a poison configuration', () => {
    beforeEach(async () => {
      await publish();
      errors.length = 0;
    });

    const change = (edit: (snapshot: any) => void) => (): string => {
      const snapshot = structuredClone(next()) as unknown;
      edit(snapshot);
      return JSON.stringify(snapshot);
    };
    const withPolicy = (policy: unknown) => change((snapshot) => snapshot.routes[1].policies.push(policy));

    it.each<[string, () => string, string]>([
      ['of no bytes', () => (revision++, ''), 'head.bytes'],
      ['of blanks', () => (revision++, ' '.repeat(100)), 'document'],
      ['with a blank where an upstream should be', change((s) => (s.routes[1].upstream = '')), 'routes[1].upstream'],
      [
        'with a name that is blank',
        change((s) => (s.consumers = [{ tenant: '', name: '', limits: [] }])),
        'consumers[0].tenant',
      ],
      ['of an unknown version', change((s) => (s.schema = 99)), 'schema'],
      ['with a member nobody knows', change((s) => (s.surprise = 1)), 'document'],
      ['with a member twice', () => change(() => undefined)().replace(/\}$/, ',"trust":[]}'), 'document'],
      ['with a route twice', change((s) => s.routes.push(s.routes[1])), 'routes[2].id'],
      [
        'with two routes at one place',
        change((s) => s.routes.push({ ...s.routes[1], id: 'other/v1/all' })),
        'routes[2].match',
      ],
      ['with a path nobody can ask for', change((s) => (s.routes[1].match.pathPrefix = '/a/../b')), 'routes[1].match'],
      ['with a policy nobody knows', withPolicy({ policy: 'no-such', config: {} }), 'routes[1].policies[0].policy'],
      [
        'with a policy that cannot be compiled',
        withPolicy({ policy: 'body-limit', config: { maxBytes: -1 } }),
        'routes[1].policies[0].config.maxBytes',
      ],
      [
        'with an expression that could take for ever',
        withPolicy({ policy: 'request-validation', config: { body: { type: 'string', pattern: '(a+)+(?=b)$' } } }),
        'routes[1].policies[0].config.body',
      ],
      [
        'two hundred times as large',
        change(
          (s) =>
            (s.consumers = Array.from({ length: 60_000 }, (_, at) => ({
              tenant: 'default',
              name: `c-${at}`,
              limits: [],
            }))),
        ),
        'bytes',
      ],
    ])('%s is refused whole, with its field named, and what runs keeps running', async (_, write, field) => {
      const before = ingress.running.revision();
      const document = Buffer.from(write());
      const sha256 = createHash('sha256').update(document).digest('hex');
      await publishDocument(ingress.runtime.bus, { revision: `c_${revision}`, sha256, document });
      await until(() => errors.length > 0, 10_000);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toMatchObject({ kept: before });
      expect(errors[0]!.field ?? errors[0]!.reason).toMatch(startsWith(field));
      const { status, version } = await get('/busy');
      expect([status, version]).toEqual([200, before]);
    });
  });
});

interface Answer {
  readonly status: number;
  readonly version: string | undefined;
  readonly body: string;
}

function startsWith(field: string): RegExp {
  return new RegExp(`^${field.replace(/[.[\]]/g, '\\$&')}`);
}

/** Two routes; the upstream's path names the revision. */
function snapshotOf(number: number, url: string): Snapshot {
  const revision = `c_${number}`;
  const timeouts = { connectMs: 2_000, firstByteMs: 15_000, idleMs: 30_000 };
  const more = { auth: anonymous, class: 'internal' as const, upstream: 'busy', stripPrefix: true };
  return someSnapshot(
    revision,
    [
      someRoute({ ...more, id: 'busy/v1/all', match: { host: null, pathPrefix: '/busy', methods: [] } }),
      someRoute({ ...more, id: 'idle/v1/all', match: { host: null, pathPrefix: '/idle', methods: [] } }),
    ],
    [someUpstream(`${url}/${revision}`, { id: 'busy', timeouts })],
  );
}
