// One decision service of the consult benchmark, in a process of its own: the real handlers over the real engines on the
// real gRPC listener. Started by consult.mjs, which asks over the channel of `fork` how much processor time was used.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../dist/', import.meta.url));
const load = (path) => require(`./${path}`);
const { authV1, aiV1, limitsV1, wafV1, systemClock } = load('libs/contracts/src/index.js');
const { createEmbeddedBus, createLogger, createMetrics, createRpcServer } = load('libs/platform/src/index.js');

const kinds = {
  auth() {
    const { LocalVerifier, Pepper } = load('libs/identity/src/index.js');
    const { VerificationModule, verificationServices } = load('apps/auth/src/decide/verification.controller.js');
    const pepper = new Pepper(1, randomBytes(32));
    const engine = new LocalVerifier({ clock: systemClock, peppers: [pepper] });
    const { kid, text } = JSON.parse(process.env.SALLYPORT_BENCH_KEY);
    engine.keys.put({
      kid,
      mac: pepper.macText(text),
      pepperVersion: 1,
      tenant: 'default',
      name: 'bench',
      consumer: 'bench',
      scopes: [],
      services: ['*'],
      models: ['*'],
      cidrs: [],
      rate: { limit: 1_000_000, windowSeconds: 60 },
      budgetUsdPerMonth: '5',
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      status: 'active',
    });
    engine.keys.confirm(Date.now());
    return { module: VerificationModule.over(engine, () => undefined), services: verificationServices };
  },
  'rate-limit'() {
    const { memoryBuckets } = load('apps/rate-limit/src/shared-buckets.js');
    return limitService(memoryBuckets({ clock: systemClock }));
  },
  async 'rate-limit-redis'() {
    const { sharedBuckets } = load('apps/rate-limit/src/shared-buckets.js');
    const logger = createLogger({ app: 'rate-limit', node: 'bench', level: 'silent' });
    const metrics = createMetrics('rate-limit');
    const trail = { append: () => undefined };
    const parts = { app: 'rate-limit', clock: systemClock, random: randomBytes, logger, metrics, trail };
    return limitService(await sharedBuckets(process.env.SALLYPORT_BENCH_REDIS, parts, 20_000));
  },
  waf() {
    const { Engine } = load('libs/waf/src/index.js');
    const { DecideModule } = load('apps/waf/src/decide/decide.module.js');
    const { OpenStreams } = load('apps/waf/src/decide/open-streams.js');
    const { CountedInspector } = load('apps/waf/src/counted-inspector.js');
    const inspector = new CountedInspector(new Engine(), createMetrics('waf'));
    return {
      module: DecideModule.over(inspector, new OpenStreams()),
      services: { 'sallyport.waf.v1.InspectionService': wafV1.InspectionServiceService },
    };
  },
  'ai-router'() {
    const { builtInModels, LocalRouter } = load('libs/ai/src/index.js');
    const { Credentials } = load('apps/ai-router/src/credentials/credentials.js');
    const { Leases } = load('apps/ai-router/src/credentials/leases.js');
    const { DecideModule } = load('apps/ai-router/src/decide/decide.module.js');
    const logger = createLogger({ app: 'ai-router', node: 'bench', level: 'silent' });
    const credentials = new Credentials({ environment: () => undefined, clock: systemClock, logger });
    const engine = new LocalRouter({ leases: credentials });
    engine.use(builtInModels());
    return {
      module: DecideModule.over(engine, new Leases(credentials, systemClock)),
      services: { 'sallyport.ai.v1.RoutingService': aiV1.RoutingServiceService },
    };
  },
};

function limitService({ limiter, source }) {
  const { DecideModule } = load('apps/rate-limit/src/decide/decide.module.js');
  const { LiveNodes } = load('apps/rate-limit/src/decide/live-nodes.js');
  const module = DecideModule.over(limiter, new LiveNodes(), source === 'valkey');
  return { module, services: { 'sallyport.limits.v1.LimitService': limitsV1.LimitServiceService } };
}

const [kind, path] = process.argv.slice(2);
const runtime = {
  bus: createEmbeddedBus(systemClock),
  logger: createLogger({ app: kind, node: 'bench', level: 'silent' }),
};
await createRpcServer({ ...(await kinds[kind]()), address: { path }, runtime });
process.on('message', () => process.send(process.cpuUsage()));
process.on('disconnect', () => process.exit(0));
process.send('ready');
