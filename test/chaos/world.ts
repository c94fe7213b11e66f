import { randomBytes } from 'node:crypto';
import type { DeclarativeInput } from '@sallyport/contracts';
import { startFakeVendor, type FakeVendor } from '@sallyport/testkit';
import { call, expectStatus } from '../e2e/calls';
import { until } from '../e2e/waiting';
import type { CredentialKind, Shot } from './ledger';
import { Origin } from './load';
import type { Stage } from './stage';

const SCOPE = 'chaos:write';

/** What `limited` lets through, for all ingresses together. */
export const LIMIT_PER_SECOND = 50;
export const LIMIT_BURST = 5;

/** What `narrow` lets through: little, so that every machine can be asked for many times as much. */
export const NARROW_PER_SECOND = 10;

/** As many as the policy allows of what the origin answers, or nearly: milliseconds of an ingress, and no large body. */
const COSTLY_COPIES = 24;

/** The provider's key that the ai-router finds in its environment. */
export const vendorKey = `sk-chaos-${randomBytes(18).toString('hex')}`;

export const routes = ['open', 'flagged', 'guarded', 'regulated', 'inner', 'scoped'] as const;
type RouteName = (typeof routes)[number] | 'limited' | 'narrow' | 'costly';

/** What is published on a stage, and everybody who calls it: routes of each class and credentials of each kind. */
export class World {
  private readonly keys = new Map<CredentialKind, string>();

  private constructor(
    readonly stage: Stage,
    readonly origin: Origin,
    readonly vendor: FakeVendor,
  ) {}

  static async create(stage: Stage): Promise<World> {
    const world = new World(stage, await Origin.start(), await startFakeVendor());
    try {
      await world.publish(world.document());
      await world.mintKeys();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  document(): Omit<DeclarativeInput, 'sallyport'> {
    const upstream = { targets: [{ url: `http://127.0.0.1:${this.origin.port}` }], allowPrivate: true };
    const uninspected = { waf: { mode: 'off' } };
    const copies = Array.from({ length: COSTLY_COPIES }, () => ({ copy: '/rows', to: '/again' }));
    const rewritten = { 'response-transform': { json: [...copies, { remove: '/again' }] } };
    const rate = (limit: number) => ({
      'rate-limit': { limit, window: '1s', burst: LIMIT_BURST, by: 'consumer' },
    });
    return {
      services: [
        { name: 'open', class: 'public', upstream, policies: [uninspected] },
        { name: 'flagged', class: 'public', upstream, policies: [{ waf: { on_failure: 'allow_flagged' } }] },
        { name: 'guarded', class: 'public', upstream },
        { name: 'regulated', class: 'regulated', upstream },
        { name: 'inner', class: 'internal', upstream },
        { name: 'scoped', class: 'public', upstream, policies: [uninspected], auth: { scopes: [SCOPE] } },
        { name: 'limited', class: 'public', upstream, policies: [uninspected, rate(LIMIT_PER_SECOND)] },
        { name: 'narrow', class: 'public', upstream, policies: [uninspected, rate(NARROW_PER_SECOND)] },
        { name: 'costly', class: 'public', upstream, policies: [uninspected, rewritten] },
      ],
      accounts: [
        {
          name: 'vendor',
          provider: 'vendor',
          baseUrl: this.vendor.baseUrl,
          allowPrivate: true,
          key: '${env:CHAOS_VENDOR_KEY}',
        },
      ],
      models: [{ name: 'leased', class: 'internal', fallback: [{ account: 'vendor', model: 'small-1' }] }],
    };
  }

  /** Puts a document in force. @returns the revision, once every ingress runs it. */
  async publish(document: Omit<DeclarativeInput, 'sallyport'>): Promise<string> {
    const answer = await this.stage.admin('/api/v1/changesets', { body: { sallyport: 1, ...document } });
    const { revision } = expectStatus(answer, 200).json<{ revision: string }>();
    await Promise.all(this.stage.doors.map((door) => this.serves(door, revision)));
    return revision;
  }

  async serves(door: string, revision: string): Promise<void> {
    const number = (text: string | undefined): number => Number(text?.slice('c_'.length) ?? -1);
    await until(`${door} runs ${revision}`, async () => {
      const { headers } = await call(`${door}/problems`);
      return number(headers['x-sallyport-config-version']) >= number(revision);
    });
  }

  /** A new key, known at every door. */
  async mint(request: Readonly<Record<string, unknown>>): Promise<{ kid: string; key: string }> {
    const body = { rate: { limit: 1_000_000, window: '60s' }, ...request };
    const minted = expectStatus(await this.stage.admin('/api/auth/v1/keys', { body }), 201);
    const made = minted.json<{ kid: string; key: string }>();
    await this.everyDoorSays(made.key, 200);
    return made;
  }

  headersOf(kind: CredentialKind): Record<string, string> {
    const key = this.keys.get(kind);
    const expected = kind === 'allowed' || kind === 'limited' ? 'granted' : 'denied';
    return { 'x-chaos-kind': expected, ...(key !== undefined && { authorization: `Bearer ${key}` }) };
  }

  /** The fields of a request by hand, each with its line end. */
  linesOf(kind: CredentialKind): string {
    const fields = Object.entries({ host: 'chaos', ...this.headersOf(kind) });
    return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  }

  shot(route: RouteName, kind: CredentialKind, weight: number, more: Partial<Shot> = {}): Shot {
    const path = `/${route}/things`;
    return { route, kind, method: 'GET', path, headers: this.headersOf(kind), weight, echoes: true, ...more };
  }

  /** Costs an ingress milliseconds, and whoever asks next to nothing. */
  costly(weight: number): Shot {
    return this.shot('costly', 'allowed', weight, { path: '/costly/rows' });
  }

  /** An event stream of two seconds. */
  stream(weight: number): Shot {
    return this.shot('open', 'allowed', weight, { path: '/open/stream?events=20&gap=100', stream: true });
  }

  chat(weight: number, kind: CredentialKind = 'allowed'): Shot {
    const body = JSON.stringify({ model: 'leased', messages: [{ role: 'user', content: 'hello' }] });
    const headers = this.headersOf(kind);
    return { route: 'chat', kind, method: 'POST', path: '/v1/chat/completions', headers, body, weight };
  }

  /** Six in ten may, four in ten must not; every class of route, a body here and there, and streams. */
  mix(): Shot[] {
    const body = JSON.stringify({ item: 'a chaos of things', quantity: 3 });
    const posted = { method: 'POST', body } as const;
    const weights = { open: 14, flagged: 12, guarded: 8, regulated: 8, inner: 10, scoped: 4 };
    return [
      ...routes.map((route) => this.shot(route, 'allowed', weights[route])),
      this.shot('open', 'allowed', 3, posted),
      this.shot('flagged', 'allowed', 3, posted),
      this.stream(1),
      this.chat(2),
      ...routes.flatMap((route) => [
        this.shot(route, 'revoked', 1.4),
        this.shot(route, 'absent', 1.4),
        this.shot(route, 'unknown', 1.4),
        this.shot(route, 'wrong-service', route === 'inner' ? 0 : 1.4),
      ]),
      this.shot('scoped', 'wrong-scope', 4),
      this.chat(1, 'revoked'),
      this.chat(1, 'absent'),
    ].filter(({ weight }) => weight > 0);
  }

  async close(): Promise<void> {
    this.origin.close();
    await this.vendor.close();
  }

  private async mintKeys(): Promise<void> {
    const allowed = await this.mint({ name: 'steady', scopes: [SCOPE] });
    const limited = await this.mint({ name: 'greedy' });
    const revoked = await this.mint({ name: 'revoked', scopes: [SCOPE] });
    const scopeless = await this.mint({ name: 'scopeless' });
    const elsewhere = await this.mint({ name: 'elsewhere', scopes: [SCOPE], services: ['inner'] });
    expectStatus(await this.stage.admin(`/api/auth/v1/keys/${revoked.kid}`, { method: 'DELETE' }), 200);
    await this.everyDoorSays(revoked.key, 401);
    this.keys.set('allowed', allowed.key);
    this.keys.set('limited', limited.key);
    this.keys.set('revoked', revoked.key);
    this.keys.set('wrong-scope', scopeless.key);
    this.keys.set('wrong-service', elsewhere.key);
    // The right form, and the checksum of another key: nobody has minted it.
    this.keys.set('unknown', `${allowed.key.slice(0, -8)}${revoked.key.slice(-8)}`);
  }

  /** Asks every door several times: behind each stands more than one who could decide. */
  private async everyDoorSays(key: string, status: number): Promise<void> {
    for (const door of this.stage.doors) {
      await until(`${door} says ${status} to a key`, async () => {
        const asked = [0, 1, 2, 3].map(() =>
          call(`${door}/v1/models`, { headers: { authorization: `Bearer ${key}` } }),
        );
        return (await Promise.all(asked)).every((answer) => answer.status === status);
      });
    }
  }
}
