import { describeModelRouter, routerSuiteConfiguration, routerSuiteSecret } from '../router.suite';
import { compileModels, PlanCompileError } from './compile';
import { LocalRouter, type LeaseSource } from './local-router';
import type { PlanQuestion } from '../router';
import type { SnapshotAccount } from '@sallyport/contracts';

const leases = {
  lease: (id: string) =>
    id.startsWith('default/keyed@')
      ? { id, kind: 'bearer' as const, secret: routerSuiteSecret, expiresAt: Date.now() + 300_000 }
      : undefined,
};

describeModelRouter('the engine', async () => {
  const router = new LocalRouter({ leases });
  router.use(compileModels(routerSuiteConfiguration));
  return { router, close: async () => undefined };
});

describe('LocalRouter', () => {
  it('does not call a model unknown before it has a configuration, and answers for echo all the same', () => {
    const router = new LocalRouter({ leases });
    const question = { tenant: 'default', principal: { models: ['*'] }, stream: false };
    expect(router.explain({ ...question, model: 'gpt-4o' })).toMatchObject({ code: 'AI_ROUTER_UNAVAILABLE' });
    expect(router.explain({ ...question, model: 'echo' })).toMatchObject({ virtualModel: 'echo' });
  });
});

describe('a key that was leased', () => {
  const [keyed] = routerSuiteConfiguration.accounts.filter(({ name }) => name === 'keyed');
  const models = routerSuiteConfiguration.models.filter(({ name }) => name === 'gpt-4o');
  const tableWith = (change: Partial<SnapshotAccount>) =>
    compileModels({ revision: 'c_8', models, accounts: [{ ...keyed!, ...change }] });

  /** What a process plans by a new configuration, when all it holds was leased under the one before. */
  function planned(change: Partial<SnapshotAccount>): unknown {
    const held = new Set(tableWith({}).credentials.map(({ id }) => id));
    const source: LeaseSource = { lease: (id) => (held.has(id) ? leases.lease('default/keyed@') : undefined) };
    const router = new LocalRouter({ leases: source });
    router.use(tableWith(change));
    let outcome: unknown;
    const question = { tenant: 'default', principal: { models: ['*'] }, model: 'gpt-4o' } as unknown as PlanQuestion;
    router.plan(question, (answer) => (outcome = answer));
    return outcome;
  }

  it('goes on to the host it was meant for', () => {
    expect(planned({})).toHaveProperty('plan');
    expect(planned({ baseUrl: 'https://vendor.example/v2/' })).toHaveProperty('plan');
  });

  it.each<[string, Partial<SnapshotAccount>]>([
    ['another host', { baseUrl: 'https://elsewhere.example/v1' }],
    ['another port', { baseUrl: 'https://vendor.example:8443/v1' }],
    ['an open connection', { baseUrl: 'http://vendor.example/v1' }],
    ['an account that refers to another key now', { key: '${env:OTHER}' }],
  ])('is not sent to %s', (_, change) => {
    expect(planned(change)).toMatchObject({ code: 'AI_CREDENTIAL_MISSING' });
  });
});

describe('compileModels', () => {
  it('shares one frozen plan between all requests for a model', () => {
    const model = compileModels(routerSuiteConfiguration).find('default', 'plain')!;
    expect(Object.isFrozen(model.plain)).toBe(true);
    expect(Object.isFrozen(model.plain.attempts[0])).toBe(true);
  });

  it('names the place of an account that is not there', () => {
    const models = [{ ...routerSuiteConfiguration.models[0]!, tenant: 'nobody' }];
    const compile = () => compileModels({ ...routerSuiteConfiguration, models });
    expect(compile).toThrow(PlanCompileError);
    expect(compile).toThrow('/models/0/targets/0/account: there is no account “open”');
  });

  it('refuses an account of a wire with addresses that has none', () => {
    const accounts = routerSuiteConfiguration.accounts.map((account) => ({ ...account, baseUrl: null }));
    expect(() => compileModels({ ...routerSuiteConfiguration, accounts })).toThrow(
      'the account “open” has no base URL',
    );
  });

  it('gives the version of a price by its content', () => {
    const versionAt = (revision: string) =>
      compileModels({ ...routerSuiteConfiguration, revision }).find('default', 'gpt-4o')!.plain.attempts[0]!.price!
        .version;
    expect(versionAt('c_1')).toMatch(/^p_[0-9a-f]{16}$/);
    expect(versionAt('c_1')).toBe(versionAt('c_2'));
  });

  it('says which credentials a process must be able to find, and where targets are', () => {
    const table = compileModels(routerSuiteConfiguration);
    expect(table.credentials.map(({ account }) => account)).toEqual(['default/keyed', 'default/keyless']);
    expect(table.origins[0]).toEqual({ url: 'https://vendor.example', allowPrivate: false, connectMs: 3_000 });
  });
});
