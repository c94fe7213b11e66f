/** The applications a variable can belong to. */
export type AppName =
  | 'ingress'
  | 'auth'
  | 'rate-limit'
  | 'waf'
  | 'ai-router'
  | 'audit'
  | 'catalog'
  | 'all-in-one'
  | 'cli'
  | 'orders'
  | 'test';

export interface Variable {
  readonly name: string;
  /** Who reads it; `every` is each server application. */
  readonly apps: readonly AppName[] | 'every';
  readonly summary: string;
  /** As text; absent: none, or it follows from others as the summary says. */
  readonly default?: string;
  /** Also read from the file that `<name>_FILE` names; never printed. */
  readonly secret?: true;
}

const ports: ReadonlyArray<readonly [AppName, 'HTTP' | 'ADMIN' | 'GRPC' | 'HEALTH', number]> = [
  ['ingress', 'HTTP', 8000],
  ['ingress', 'ADMIN', 8100],
  ['ingress', 'HEALTH', 9400],
  ['catalog', 'HTTP', 8080],
  ['catalog', 'GRPC', 5101],
  ['catalog', 'HEALTH', 9401],
  ['auth', 'HTTP', 8002],
  ['auth', 'ADMIN', 8102],
  ['auth', 'GRPC', 5102],
  ['auth', 'HEALTH', 9402],
  ['rate-limit', 'ADMIN', 8103],
  ['rate-limit', 'GRPC', 5103],
  ['rate-limit', 'HEALTH', 9403],
  ['waf', 'ADMIN', 8104],
  ['waf', 'GRPC', 5104],
  ['waf', 'HEALTH', 9404],
  ['ai-router', 'ADMIN', 8105],
  ['ai-router', 'GRPC', 5105],
  ['ai-router', 'HEALTH', 9405],
  ['audit', 'ADMIN', 8106],
  ['audit', 'GRPC', 5106],
  ['audit', 'HEALTH', 9406],
];

/** `rate-limit` → `RATE_LIMIT` */
export function environmentName(app: AppName): string {
  return app.toUpperCase().replaceAll('-', '_');
}

/** The port an application listens on unless its variable says otherwise. */
export function defaultPort(app: AppName, door: 'HTTP' | 'ADMIN' | 'GRPC' | 'HEALTH'): number {
  const row = ports.find(([owner, kind]) => owner === app && kind === door);
  if (!row) throw new RangeError(`${app} has no ${door} port`);
  return row[2];
}

const doorNames = {
  HTTP: 'public HTTP',
  ADMIN: 'private admin HTTP',
  GRPC: 'gRPC',
  HEALTH: 'health and metrics',
} as const;

/** Every variable that any part of Sallyport reads. One that is not here, and begins with SALLYPORT_, stops the start. */
export const variables: readonly Variable[] = [
  { name: 'SALLYPORT_HOST', apps: 'every', summary: 'Address all listeners bind.', default: '127.0.0.1' },
  {
    name: 'SALLYPORT_DATA_DIR',
    apps: 'every',
    summary: 'Folder for the embedded database, spools, last good configuration and drawn secrets.',
    default: './data',
  },
  { name: 'SALLYPORT_LOG_LEVEL', apps: 'every', summary: 'fatal, error, warn, info, debug or trace.', default: 'info' },
  {
    name: 'SALLYPORT_NODE_NAME',
    apps: 'every',
    summary: 'Name of this process in records and metrics; default: host name and process id.',
  },
  { name: 'SALLYPORT_CLUSTER_NAME', apps: 'every', summary: 'First part of every audit chain.', default: 'cluster-a' },
  {
    name: 'SALLYPORT_PUBLIC_URL',
    apps: 'every',
    summary:
      'URL callers use for the data door: problem types, links, servers of OpenAPI documents. Default: the data door on loopback.',
  },
  {
    name: 'SALLYPORT_NATS_URL',
    apps: 'every',
    summary: 'NATS servers, comma separated. Unset: the in-process bus (all-in-one only).',
  },
  {
    name: 'SALLYPORT_DATABASE_URL',
    apps: 'every',
    summary: 'Postgres 15 or newer. Unset: embedded Postgres (all-in-one only).',
    secret: true,
  },
  {
    name: 'SALLYPORT_REDIS_URL',
    apps: ['rate-limit', 'all-in-one'],
    summary: 'Redis or Valkey for limits shared by several rate-limit replicas. Unset: memory.',
    secret: true,
  },
  {
    name: 'SALLYPORT_ADMIN_TOKEN',
    apps: ['auth', 'all-in-one', 'cli', 'test'],
    summary: 'Bearer token of the admin API, at least 24 characters. Embedded: drawn on the first start.',
    secret: true,
  },
  {
    name: 'SALLYPORT_PEPPER',
    apps: ['auth', 'ingress', 'all-in-one'],
    summary:
      'Key of the HMACs that API keys are stored as: 32 bytes or more, base64url or hex. Embedded: drawn into the data folder.',
    secret: true,
  },
  {
    name: 'SALLYPORT_ADMIN_HOSTS',
    apps: ['catalog', 'all-in-one'],
    summary: 'Host names the admin door answers for, comma separated, beside loopback names and its own address.',
  },
  {
    name: 'SALLYPORT_OTLP_URL',
    apps: 'every',
    summary: 'Base URL of an OTLP/HTTP collector; traces go to <url>/v1/traces. Unset: no export.',
  },
  {
    name: 'SALLYPORT_TRACE_RATIO',
    apps: 'every',
    summary: 'Share of new traces that are recorded, 0 to 1.',
    default: '0.1',
  },
  { name: 'SALLYPORT_AUDIT_SPOOL_DIR', apps: 'every', summary: 'Folder of the audit spools. Default: <data>/spool.' },
  {
    name: 'SALLYPORT_AUDIT_SPOOL_MAX_BYTES',
    apps: 'every',
    summary: 'Bytes a spool may hold before it refuses.',
    default: '1073741824',
  },
  {
    name: 'SALLYPORT_INGRESS_WORKERS',
    apps: ['ingress', 'all-in-one'],
    summary:
      'Processes that share the data port under a supervisor, 1 to 64; 0: one process without a supervisor. Default: 1 on two processors or fewer, else 2. An all-in-one is one process and takes 1 at most.',
  },
  {
    name: 'SALLYPORT_INGRESS_DRAIN_SECONDS',
    apps: ['ingress', 'all-in-one'],
    summary: 'How long after the signal open streams may finish; the process ends ten seconds later at the latest.',
    default: '20',
  },
  {
    name: 'SALLYPORT_INGRESS_BALANCER_SECONDS',
    apps: ['ingress'],
    summary: 'How long to go on accepting after SIGTERM, so that balancers notice /readyz.',
    default: '5',
  },
  {
    name: 'SALLYPORT_INGRESS_LISTENERS_FILE',
    apps: ['ingress', 'all-in-one'],
    summary:
      'YAML list of listeners of the data door with their TLS, HTTP/2 and limits. Unset: one plain listener at SALLYPORT_INGRESS_HTTP_PORT.',
  },
  {
    name: 'SALLYPORT_INGRESS_SHOW_CONFIG_VERSION',
    apps: ['ingress', 'all-in-one'],
    summary: '1: name the revision in x-sallyport-config-version.',
    default: '0',
  },
  {
    name: 'SALLYPORT_CRS_DIR',
    apps: ['waf', 'all-in-one', 'test'],
    summary:
      'Folder of an OWASP CRS: rules/ and crs-setup.conf. Unset: the newest below <data>/crs, else that of Debian, else our own rules only.',
  },
  {
    name: 'SALLYPORT_WAF_LOG_FILE',
    apps: ['waf', 'all-in-one'],
    summary: 'File that gets a line for every rule that matched, as ModSecurity writes it. Unset: none.',
  },
  {
    name: 'SALLYPORT_WAF_TEST_MODE',
    apps: ['waf', 'ingress', 'all-in-one'],
    summary:
      '1: for runs of the CRS regression tests. Records carry the port of the caller, and the log of rules goes to <data>/waf.log.',
    default: '0',
  },
  {
    name: 'SALLYPORT_ALL_IN_ONE_REMOTE',
    apps: ['all-in-one'],
    summary: '1: join the services by gRPC over unix sockets instead of directly.',
    default: '0',
  },
  {
    name: 'SALLYPORT_DEMO',
    apps: ['all-in-one'],
    summary: 'off: neither start nor publish the demo API.',
    default: 'on',
  },
  { name: 'SALLYPORT_DEMO_PORT', apps: ['all-in-one', 'orders'], summary: 'Port of the demo API.', default: '8090' },
  {
    name: 'SALLYPORT_URL',
    apps: ['cli'],
    summary: 'Admin door the command line talks to.',
    default: 'http://127.0.0.1:8080',
  },
  { name: 'SALLYPORT_KEY', apps: ['cli'], summary: 'API key the command line uses for chat.', secret: true },
  {
    name: 'SALLYPORT_REQUIRE_CRS',
    apps: ['test'],
    summary: '1: a run of the CRS regression tests fails where their data is absent, instead of skipping them.',
  },
  { name: 'SALLYPORT_SHARED_DIR', apps: ['test'], summary: 'Folder with test data beside the clone.' },
  {
    name: 'SALLYPORT_CHAOS_SECONDS',
    apps: ['test'],
    summary: 'How long the load of one chaos test lasts, about.',
    default: '10',
  },
  {
    name: 'SALLYPORT_CHAOS_RPS',
    apps: ['test'],
    summary: 'Requests a second of that load, or fewer where the machine cannot take so many.',
    default: '200',
  },
  {
    name: 'SALLYPORT_CHAOS_SEED',
    apps: ['test'],
    summary: 'Seed of the order in which it sends, to repeat a run. Unset: drawn, and printed.',
  },
  { name: 'SALLYPORT_E2E_TARGET', apps: ['test'], summary: 'all-in-one or cluster; default: both.' },
  ...ports.map(([app, door, port]) => ({
    name: `SALLYPORT_${environmentName(app)}_${door}_PORT`,
    apps: [app, 'all-in-one'] as const,
    summary: `Port of the ${doorNames[door]} listener of ${app}.`,
    default: String(port),
  })),
  ...ports
    .filter(([, door]) => door === 'GRPC')
    .map(([app, , port]) => ({
      name: `SALLYPORT_${environmentName(app)}_GRPC_URL`,
      apps: 'every' as const,
      summary: `Where others reach the gRPC listener of ${app}; of a service that an ingress asks, several behind commas.`,
      default: `dns:///127.0.0.1:${port}`,
    })),
  ...ports
    .filter(([, door]) => door === 'ADMIN')
    .map(([app, , port]) => ({
      name: `SALLYPORT_${environmentName(app)}_ADMIN_URL`,
      apps: ['catalog'] as const,
      summary: `Where the admin door reaches the admin listener of ${app}.`,
      default: `http://127.0.0.1:${port}`,
    })),
];

/** Every name that may stand in the environment, `_FILE` forms included. */
export const knownVariableNames: ReadonlySet<string> = new Set(
  variables.flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name])),
);
