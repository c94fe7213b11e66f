import { describeModelRouter, routerSuiteConfiguration, routerSuiteSecret } from '../router.suite';
import { compileModels, PlanCompileError } from './compile';
import { LocalRouter } from './local-router';

const leases = {
  lease: (id: string) =>
    id === 'default/keyed'
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
    expect(table.credentials.map(({ id }) => id)).toEqual(['default/keyed', 'default/keyless']);
    expect(table.origins[0]).toEqual({ url: 'https://vendor.example', allowPrivate: false, connectMs: 3_000 });
  });
});
