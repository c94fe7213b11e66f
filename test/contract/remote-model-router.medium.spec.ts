import { aiV1, systemClock, type Clock, type Principal } from '@sallyport/contracts';
import { compileModels, LocalRouter, type ModelRouter, type Planned } from '@sallyport/ai';
import { describeModelRouter, routerSuiteConfiguration, routerSuiteSecret } from '../../libs/ai/src/router.suite';
import { createLogger } from '@sallyport/platform';
import { Credentials } from '../../apps/ai-router/src/credentials/credentials';
import { Leases } from '../../apps/ai-router/src/credentials/leases';
import { DecideModule } from '../../apps/ai-router/src/decide/decide.module';
import { ROUTING_SERVICE } from '../../apps/ai-router/src/decide/routing.controller';
import { RemoteModelRouter } from '../../apps/ingress/src/consult/remote-model-router';
import { answered, connected, consultRuntime, PATIENT_MS, serve } from './over-grpc';

async function reach(environment: Record<string, string | undefined>, clock: Clock = systemClock) {
  const table = compileModels(routerSuiteConfiguration);
  const logger = createLogger({ app: 'ai-router', node: 'test', level: 'silent' });
  const credentials = new Credentials({ environment: (name) => environment[name], dataDir: '/nowhere', clock, logger });
  await credentials.use(table.credentials);
  const leases = new Leases(credentials, clock);
  const settled: aiV1.Settlement[] = [];
  const engine = new LocalRouter({ leases: credentials, onSettled: (settlement) => settled.push(settlement) });
  engine.use(table);
  const server = await serve(DecideModule.over(engine, leases), { [ROUTING_SERVICE]: aiV1.RoutingServiceService });
  const remote = new RemoteModelRouter({
    target: server.target,
    runtime: { ...consultRuntime(), clock },
    models: (tenant, principal) => engine.models(tenant, principal),
    budgetMs: PATIENT_MS,
  });
  await connected(remote);
  const router: ModelRouter = {
    plan: (question, done) => remote.plan(question, (outcome) => done(answered(outcome))),
    settle: (settlement) => void remote.settle(settlement),
    models: (tenant, principal) => remote.models(tenant, principal),
  };
  const close = async (): Promise<void> => {
    await remote.close();
    await leases.close();
    await server.close();
  };
  return { router, remote, leases, settled, close };
}

describeModelRouter('over a Decide stream', () => reach({ SUITE_KEY: routerSuiteSecret }));

describe('a credential on a Decide stream', () => {
  const principal: Principal = {
    tenant: 'default',
    subject: 'somebody',
    client: '',
    consumer: 'shop',
    actors: [],
    scopes: new Set(),
    roles: [],
    credential: { kind: 'api-key', id: 'kid' },
    until: Number.MAX_SAFE_INTEGER,
    models: ['*'],
    quotas: [],
  };
  const question = {
    requestId: 'req_1',
    tenant: 'default',
    principal,
    model: 'gpt-4o',
    stream: false,
    inputBytes: 10,
    maxOutputTokens: 0,
  };
  const plan = (router: ModelRouter) =>
    new Promise<Planned>((resolve) => router.plan(question, (outcome) => resolve(outcome as Planned)));
  const until = async (condition: () => boolean): Promise<void> => {
    for (const end = Date.now() + 5_000; !condition();) {
      if (Date.now() > end) throw new Error('the condition did not come true within 5 s');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  it('is held for five minutes and no longer', async () => {
    let time = Date.now();
    const clock: Clock = { now: () => time, monotonic: () => performance.now() };
    const { router, remote, close } = await reach({ SUITE_KEY: routerSuiteSecret }, clock);
    const { plan: planned } = await plan(router);
    const id = planned.attempts[0]!.credential;
    time += 299_999;
    expect(remote.lease(id)?.secret).toBe(routerSuiteSecret);
    time += 1;
    expect(remote.lease(id)).toBeUndefined();
    await close();
  });

  it('is replaced, and taken back, while the stream stands', async () => {
    const environment: Record<string, string | undefined> = { SUITE_KEY: 'before' };
    const { router, remote, leases, close } = await reach(environment);
    const id = (await plan(router)).plan.attempts[0]!.credential;
    environment['SUITE_KEY'] = 'after';
    await leases.renew();
    await until(() => remote.lease(id)?.secret === 'after');
    delete environment['SUITE_KEY'];
    await leases.renew();
    await until(() => remote.lease(id) === undefined);
    await close();
  });

  it('is forgotten when the client is closed', async () => {
    const { router, remote, close } = await reach({ SUITE_KEY: routerSuiteSecret });
    const id = (await plan(router)).plan.attempts[0]!.credential;
    await close();
    expect(remote.lease(id)).toBeUndefined();
  });

  it('is accounted for: what was settled reaches the router', async () => {
    const { router, settled, close } = await reach({});
    router.settle(aiV1.Settlement.create({ requestId: 'req_1', costPicoUsd: 12n }));
    await until(() => settled.length === 1);
    expect(settled[0]).toMatchObject({ requestId: 'req_1', costPicoUsd: 12n });
    await close();
  });
});
