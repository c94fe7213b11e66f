import { isRefusal, type Principal, type Refusal, type Snapshot } from '@sallyport/contracts';
import type { ModelRouter, Planned, PlanQuestion } from './router';

/** The part of a configuration that routers run on. */
export type RouterConfiguration = Pick<Snapshot, 'revision' | 'models' | 'accounts'>;

export interface RouterUnderTest {
  readonly router: ModelRouter;
  close(): Promise<void>;
}

const price = { inputPerMillion: '0.15', outputPerMillion: '0.6', currency: 'USD' } as const;
const account = {
  tenant: 'default',
  provider: 'vendor',
  wire: 'openai-chat',
  baseUrl: 'https://vendor.example/v1',
  allowPrivate: false,
} as const;
const target = { account: 'open', model: 'vendor-small', price: null };

/** What `make` has to run on: accounts `open` (no key), `keyed` (key `SUITE_KEY`) and `keyless` (a key nobody set). */
export const routerSuiteConfiguration: RouterConfiguration = {
  revision: 'c_7',
  models: [
    { tenant: 'default', name: 'plain', class: 'public', targets: [target] },
    { tenant: 'default', name: 'gpt-4o', class: 'public', targets: [{ ...target, account: 'keyed', price }] },
    { tenant: 'default', name: 'gpt-4o-mini', class: 'public', targets: [{ ...target, account: 'keyless' }] },
    {
      tenant: 'default',
      name: 'chain',
      class: 'public',
      targets: [
        { ...target, account: 'keyless' },
        { ...target, model: 'second' },
        { ...target, account: 'keyed' },
      ],
    },
    { tenant: 'other', name: 'theirs', class: 'public', targets: [target] },
  ],
  accounts: [
    { ...account, name: 'open', key: null },
    { ...account, name: 'keyed', key: '${env:SUITE_KEY}' },
    { ...account, name: 'keyless', key: '${env:SUITE_KEY_THAT_IS_NOT_SET}' },
    { ...account, name: 'open', tenant: 'other', key: null },
  ],
};

/** The value of `SUITE_KEY`. */
export const routerSuiteSecret = 'suite-secret-canary-5f1d';

/**
 * What a model router must do at either distance.
 * @param make hands out one that runs on {@link routerSuiteConfiguration}, with `SUITE_KEY` set.
 */
export function describeModelRouter(name: string, make: () => Promise<RouterUnderTest>): void {
  describe(`model router: ${name}`, () => {
    let under: RouterUnderTest;
    beforeAll(async () => {
      under = await make();
    });
    afterAll(() => under.close());

    const principalOf = (models: readonly string[]): Principal => ({
      tenant: 'default',
      subject: 'somebody',
      client: 'app',
      consumer: 'shop',
      actors: [],
      scopes: new Set(),
      roles: [],
      credential: { kind: 'api-key', id: 'kid' },
      until: Number.MAX_SAFE_INTEGER,
      models,
      quotas: [],
    });

    function ask(model: string, more: Partial<PlanQuestion> = {}): Promise<Planned | Refusal> {
      const principal = principalOf(['*']);
      const question = {
        requestId: 'req_1',
        tenant: 'default',
        principal,
        model,
        stream: false,
        inputBytes: 10,
        maxOutputTokens: 0,
      };
      return new Promise((resolve) => under.router.plan({ ...question, ...more }, resolve));
    }

    async function planned(model: string, more?: Partial<PlanQuestion>): Promise<Planned> {
      const outcome = await ask(model, more);
      if (isRefusal(outcome)) throw new Error(`refused with ${outcome.code}`);
      return outcome;
    }

    it('plans a call of a model with address, price and time budget', async () => {
      const { plan } = await planned('plain');
      expect(plan).toMatchObject({ virtualModel: 'plain', revision: 'c_7' });
      expect(plan.attempts).toMatchObject([
        {
          n: 1,
          provider: 'vendor',
          model: 'vendor-small',
          url: 'https://vendor.example/v1/chat/completions',
          credential: '',
          price: { unpriced: true },
          timeouts: { connectMs: 3_000, headMs: 300_000, maxBytes: 67_108_864n },
        },
      ]);
    });

    it('gives a stream less time for its head than an answer in one piece', async () => {
      const { plan } = await planned('plain', { stream: true });
      expect(plan.attempts[0]!.timeouts).toMatchObject({ headMs: 15_000, firstContentMs: 60_000, idleMs: 60_000 });
    });

    it('hands out the credential of an attempt as a lease of at most five minutes', async () => {
      const before = Date.now();
      const { plan, lease } = await planned('gpt-4o');
      const held = lease(plan.attempts[0]!.credential);
      expect(held).toMatchObject({ kind: 'bearer', secret: routerSuiteSecret });
      expect(held!.expiresAt).toBeGreaterThan(before);
      expect(held!.expiresAt).toBeLessThanOrEqual(Date.now() + 300_000);
      expect(plan.attempts[0]!.price).toMatchObject({
        unpriced: false,
        lines: [
          { picoUsd: 150_000_000_000n, per: 1_000_000 },
          { picoUsd: 600_000_000_000n, per: 1_000_000 },
        ],
      });
    });

    it('leaves out a target whose credential is missing, says why, and keeps the order of the others', async () => {
      const { plan, lease } = await planned('chain');
      expect(plan.attempts.map(({ n, model }) => [n, model])).toEqual([
        [2, 'second'],
        [3, 'vendor-small'],
      ]);
      expect(plan.why).toEqual(['skipped vendor/vendor-small: its credential is missing']);
      expect(lease(plan.attempts[1]!.credential)?.secret).toBe(routerSuiteSecret);
    });

    it.each<[string, string, Partial<PlanQuestion>, string]>([
      ['a model that does not exist', 'nothing', {}, 'AI_MODEL_UNKNOWN'],
      ['a model of another tenant', 'theirs', {}, 'AI_MODEL_UNKNOWN'],
      ['a model the caller was not granted', 'plain', { principal: principalOf(['gpt-*']) }, 'AI_MODEL_FORBIDDEN'],
      ['any model to a caller without grants', 'echo', { principal: principalOf([]) }, 'AI_MODEL_FORBIDDEN'],
      ['a model without a credential', 'gpt-4o-mini', {}, 'AI_CREDENTIAL_MISSING'],
    ])('refuses %s', async (_, model, more, code) => {
      expect(await ask(model, more)).toMatchObject({ refused: true, code, params: { model } });
    });

    it('takes a grant for a family by its beginning', async () => {
      const principal = principalOf(['gpt-*', 'plain']);
      expect((await planned('gpt-4o', { principal })).plan.virtualModel).toBe('gpt-4o');
      expect((await planned('plain', { principal })).plan.virtualModel).toBe('plain');
    });

    it('offers echo to every tenant at a known price of nothing', async () => {
      const { plan } = await planned('echo', { tenant: 'any', principal: { ...principalOf(['echo']), tenant: 'any' } });
      expect(plan.attempts).toMatchObject([{ provider: 'echo', price: { unpriced: false }, credential: '' }]);
    });

    it('lists exactly what the caller may use', () => {
      const list = (models: readonly string[], tenant = 'default') =>
        under.router.models(tenant, principalOf(models)).map(({ name: model }) => model);
      expect(list(['*'])).toEqual(['chain', 'echo', 'echo-slow', 'gpt-4o', 'gpt-4o-mini', 'plain']);
      expect(list(['gpt-*', 'echo'])).toEqual(['echo', 'gpt-4o', 'gpt-4o-mini']);
      expect(list(['*'], 'other')).toEqual(['echo', 'echo-slow', 'theirs']);
      expect(list([])).toEqual([]);
    });

    it('answers a hundred questions of one turn, each with its own plan', async () => {
      const names = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? 'plain' : 'gpt-4o'));
      const plans = await Promise.all(names.map((model) => planned(model)));
      expect(plans.map(({ plan }) => plan.virtualModel)).toEqual(names);
    });
  });
}
