import type { Clock } from '@sallyport/contracts';
import type { AdminClient } from '../../admin-client';
import { exitCodes, Failure } from '../../failure';
import { call, describeDoor, type Door } from '../../http-call';
import { attention, failed, ok, type Finding } from './finding';

const GATEWAY_TIMEOUT_MS = 5_000;
/** Tokens and windows of limits are judged with a tolerance of this order. */
const CLOCK_TOLERANCE_MS = 2_000;
const LAG_TOLERANCE_SECONDS = 30;
const CONFIG_STATUS = '/api/v1/config/status';

/** A page that every gateway serves itself, with our request id: it proves who answers, and needs no key. */
const OWN_PAGE = '/problems/route-not-found';

/** Whether the data door answers, and is one of ours. */
export async function gateway(door: Door, signal: AbortSignal): Promise<Finding> {
  const place = describeDoor(door);
  try {
    const { headers } = await call(door, { method: 'GET', path: OWN_PAGE, timeoutMs: GATEWAY_TIMEOUT_MS, signal });
    if (headers['x-sallyport-request-id'] !== undefined) return ok('gateway', `gateway ${place} answering`);
    return failed(
      'gateway',
      `${place} answers, but is not Sallyport`,
      'name the data door with --gateway or SALLYPORT_PUBLIC_URL',
    );
  } catch (error) {
    const fix = 'start Sallyport with `npm start`, or name the data door with --gateway or SALLYPORT_PUBLIC_URL';
    return failed('gateway', `gateway ${place} does not answer: ${(error as Error).message}`, fix);
  }
}

/** Whether the admin API answers, and takes the credential. */
export function adminDoor(admin: AdminClient): Promise<Finding> {
  const place = describeDoor(admin.door);
  return checked('admin', async () => {
    await admin.get(CONFIG_STATUS);
    return ok('admin', `admin API ${place} answering, credential accepted`);
  });
}

/** One cheap question for each service that answers behind the admin door. */
const questions = {
  auth: '/api/auth/v1/keys?limit=1',
  'rate-limit': '/api/limits/v1/status',
  waf: '/api/waf/v1/status',
  'ai-router': '/api/ai/v1/models',
  audit: '/api/audit/v1/health',
} as const;

export function areas(admin: AdminClient): Promise<Finding[]> {
  return Promise.all(
    Object.entries(questions).map(([service, path]) =>
      checked(`area-${service}`, async () => {
        await admin.get(path);
        return ok(`area-${service}`, `${service} reachable`);
      }),
    ),
  );
}

interface ConfigurationStatus {
  readonly revision: string | null;
  readonly nodes: readonly {
    readonly node: string;
    readonly app: string;
    readonly revision?: string;
    readonly current: boolean;
    readonly error?: string;
  }[];
}

export function configuration(admin: AdminClient): Promise<Finding> {
  const id = 'configuration';
  return checked(id, async () => {
    const { revision, nodes } = await admin.get<ConfigurationStatus>(CONFIG_STATUS);
    if (revision === null) return attention(id, 'no configuration published', 'sallyport apply -f sallyport.yaml');
    const refusing = nodes.filter(({ error }) => error !== undefined);
    const places = (of: typeof nodes) => of.map(({ app, node }) => `${app}/${node}`).join(', ');
    if (refusing.length > 0) {
      const reason = refusing[0]!.error!;
      return failed(
        id,
        `configuration ${revision} refused by ${places(refusing)}: ${reason}`,
        'mend it, and apply again',
      );
    }
    const behind = nodes.filter(({ current }) => !current);
    if (behind.length > 0) {
      // Nodes that have left are remembered until the catalog starts again, so this alone is no failure.
      const fix = 'ask again in a moment; a node that has gone is forgotten when the catalog restarts';
      return attention(id, `configuration ${revision} not yet run by ${places(behind)}`, fix);
    }
    return ok(id, `configuration ${revision} on ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`);
  });
}

interface TrailHealth {
  readonly ingesting: boolean;
  readonly lag_seconds: number;
  readonly records: number;
  readonly gaps: readonly unknown[];
  readonly quarantined: number;
  readonly default_rows: number;
}

export function audit(admin: AdminClient): Promise<Finding> {
  const id = 'audit';
  return checked(id, async () => {
    const {
      ingesting,
      lag_seconds: lag,
      records,
      gaps,
      quarantined,
      default_rows: stray,
    } = await admin.get<TrailHealth>('/api/audit/v1/health');
    const troubles = [
      gaps.length > 0 && `${gaps.length} declared gaps`,
      quarantined > 0 && `${quarantined} records in quarantine`,
      stray > 0 && `${stray} records outside their partitions`,
    ].filter((trouble) => trouble !== false);
    if (troubles.length > 0) {
      return failed(id, `audit: ${troubles.join(', ')}`, 'see `GET /api/audit/v1/health`, and the log of audit');
    }
    if (!ingesting) return attention(id, 'audit: this replica stands by', 'nothing, if another replica stores records');
    if (lag > LAG_TOLERANCE_SECONDS) {
      return attention(id, `audit ${Math.round(lag)} s behind`, 'look at the log of audit and at Postgres');
    }
    return ok(id, `audit storing, ${lag.toFixed(1)} s behind, ${records} records, no gaps`);
  });
}

interface InspectionStatus {
  readonly ruleset: string;
  readonly origin: string;
  readonly rules: number;
  readonly refused: readonly { readonly name: string; readonly problem: string }[];
  readonly kills: number;
}

/**
 * Which rules inspect requests, and whether something stands against those that should. A service that cannot be asked is
 * found already where the areas are.
 */
export async function inspection(admin: AdminClient): Promise<Finding[]> {
  const id = 'waf';
  let away = false;
  const finding = await checked(id, async () => {
    const { ruleset, origin, rules, refused, kills } = await admin
      .get<InspectionStatus>('/api/waf/v1/status')
      .catch((error: unknown) => {
        away = error instanceof Failure && error.facts.exitCode === exitCodes.unavailable;
        throw error;
      });
    const running = `waf runs ${ruleset} (${origin}, ${rules} rules)`;
    const [broken] = refused;
    if (broken)
      return failed(id, `${running}; ${broken.name} is refused: ${broken.problem}`, 'mend the place that is named');
    if (kills > 0) return attention(id, `${running}, ${kills} kill switches hold`, 'sallyport waf kills');
    if (origin === 'built-in') return attention(id, running, 'sallyport crs install brings the OWASP CRS');
    return ok(id, running);
  });
  return away ? [] : [finding];
}

interface Models {
  readonly items: readonly {
    readonly name: string;
    readonly targets: readonly { readonly provider: string; readonly wire: string; readonly credential: string }[];
  }[];
}

export function models(admin: AdminClient): Promise<Finding> {
  const id = 'models';
  return checked(id, async () => {
    const { items } = await admin.get<Models>('/api/ai/v1/models');
    const targets = items.flatMap(({ targets: of }) => of);
    const missing = targets.filter(({ credential }) => credential === 'missing').map(({ provider }) => provider);
    if (missing.length > 0) {
      const names = [...new Set(missing)].sort().join(', ');
      const fix = 'where ai-router runs, set what `key: ${env:NAME}` of the account names';
      return failed(id, `provider key missing for ${names}`, fix);
    }
    const names = items.map(({ name }) => name).join(', ');
    if (targets.every(({ wire }) => wire === 'echo')) {
      const summary = `no provider configured: the built-in mock answers (${names || 'no model'})`;
      return attention(id, summary, 'add `accounts:` and `models:` to a configuration file, and apply it');
    }
    return ok(id, `models ${names}, every provider key at hand`);
  });
}

/** RFC 9110 §6.6.1: `Date` is whole seconds, so an offset below one cannot be seen. */
export function clockOffset(admin: AdminClient, clock: Clock): Promise<Finding> {
  const id = 'clock';
  return checked(id, async () => {
    const before = clock.now();
    const { headers } = await admin.ask('GET', CONFIG_STATUS);
    const here = (before + clock.now()) / 2;
    const there = Date.parse(headers.date ?? '');
    if (Number.isNaN(there)) return attention(id, 'clock not compared: the server sent no date', 'nothing');
    const offset = Math.max(0, here < there ? there - here : here - there - 1000);
    if (offset <= CLOCK_TOLERANCE_MS) return ok(id, 'clock agrees with the server');
    const seconds = Math.round(offset / 1000);
    return failed(
      id,
      `clock ${seconds} s ${here < there ? 'behind' : 'ahead of'} the server`,
      'synchronise both by NTP',
    );
  });
}

/** A question that is refused, or not answered, is a finding. */
async function checked(id: string, check: () => Promise<Finding>): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { code, requestId, next } = error.facts;
    const marks = [code, requestId].filter((mark) => mark !== undefined).join(', ');
    return failed(id, `${id}: ${error.message}${marks && ` (${marks})`}`, next ?? 'look at the log of the service');
  }
}
