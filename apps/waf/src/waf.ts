import { modelEndpointId, modelEndpoints, wafV1, type Snapshot } from '@sallyport/contracts';
import {
  type Closable,
  createAdminApp,
  createRpcServer,
  type Opened,
  openSnapshotReader,
  opening,
  type Runtime,
  readiness,
  startHealth,
  watchAdminToken,
} from '@sallyport/platform';
import { atOnce, defaultBudget, Engine, planIds, rules, type Gathering, type Inspector } from '@sallyport/waf';
import { AdminModule } from './admin/admin.module';
import { Administration } from './admin/administration';
import type { InspectionStatus } from './admin/status.controller';
import type { WafConfig } from './config';
import { Comparisons } from './comparisons';
import { CountedInspector } from './counted-inspector';
import { DecideModule } from './decide/decide.module';
import { INSPECTION_SERVICE } from './decide/inspection.controller';
import { OpenStreams } from './decide/open-streams';
import { ExpiredExclusions } from './expired-exclusions';
import { GuardedInspector, type Compared } from './guarded-inspector';
import { KillSwitches } from './kills/kill-switches';
import { openRuleLog } from './rule-log';
import { plansOf } from './rulesets/plans-of';
import { describeProblem, RuleSets } from './rulesets/rule-sets';
import { tryInThread, type Trial } from './rulesets/trial-thread';
import { tellRules } from './tell-rules';

export interface RunningWaf extends Closable {
  /** The engine, for an ingress in the same process. */
  readonly inspector: Inspector;
  /** The rules in force, for people: name, where they were found, how many. */
  readonly ruleset: () => string;
}

export interface WafOptions {
  /** Tries a rule set before it is put in force. */
  readonly trial?: Trial;
  /** When the work of an inspection is done. */
  readonly gathering?: Gathering;
}

/**
 * Starts the waf service on the listeners its config opens. It needs nothing but the bus, for the admin token and the
 * configuration, whose routes it makes ready to inspect.
 * @throws ListenError when an address is taken.
 */
export async function startWaf(
  config: WafConfig,
  runtime: Runtime,
  { trial = tryInThread, gathering = atOnce }: WafOptions = {},
): Promise<RunningWaf> {
  return opening(async (opened) => {
    const rules = await openRules(config, runtime, { trial, gathering }, opened);
    let routes: readonly string[] = [];
    // It makes ready how the requests of routes will be inspected, and knows them by name.
    const apply = (snapshot: Snapshot) => {
      rules.expired.follow(snapshot);
      routes = [...snapshot.routes.map(({ id }) => id), ...modelEndpoints.map(modelEndpointId)];
      return rules.sets.expect(plansOf(snapshot));
    };
    opened.push(await openSnapshotReader({ bus: runtime.bus, dataDir: config.dataDir, runtime, apply }));
    const inspector = new CountedInspector(rules.inspector, runtime.metrics);
    const streams = new OpenStreams();
    runtime.metrics
      .gauge('sallyport_waf_open_exchanges', 'Exchanges of Decide streams that wait for more of their body.')
      .observe(() => streams.exchanges);
    await openAdmin(
      config,
      runtime,
      () => statusOf(streams, rules),
      new Administration(rules.sets, rules.kills, rules.comparisons, () => routes, runtime),
      opened,
    );
    await openRpc(config, runtime, inspector, streams, opened);
    if (config.listen.health) {
      const ready = () => readiness(runtime, { draining: opened.ending });
      opened.push(await startHealth({ address: config.listen.health, metrics: runtime.metrics, ready }));
    }
    return { inspector, ruleset: () => describeRules(rules.sets) };
  });
}

interface Rules {
  readonly sets: RuleSets;
  readonly kills: KillSwitches;
  readonly expired: ExpiredExclusions;
  readonly comparisons: Comparisons;
  readonly inspector: Inspector;
}

/** What decides: the rule sets and kill switches of this installation, and the engine that runs them. */
async function openRules(
  config: WafConfig,
  runtime: Runtime,
  { trial, gathering }: Required<WafOptions>,
  opened: Opened,
): Promise<Rules> {
  const { bus, clock, logger, metrics, random } = runtime;
  const { dataDir, crsDir, testMode } = config;
  const tell = tellRules(runtime);
  const chance = () => Buffer.from(random(4)).readUInt32BE() / 2 ** 32;
  const sets = opened.push(
    await RuleSets.open({ bus, dataDir, crsDir, clock, logger, chance, trial, testMode, ...tell }),
  );
  const kills = opened.push(await KillSwitches.open({ bus, dataDir, clock, random, logger, onKilled: tell.onKilled }));
  metrics.gauge('sallyport_waf_kills', 'Kill switches that hold.').observe(() => kills.list.length);
  const expired = opened.push(new ExpiredExclusions(clock, tell.onExpired));
  metrics
    .gauge('sallyport_waf_expired_exclusions', 'Exclusions that routes have and that have ended.')
    .observe(() => expired.list.length);
  const log = config.logFile === undefined ? undefined : opened.push(openRuleLog(config.logFile));
  const now = () => clock.now();
  const elapsed = () => clock.monotonic();
  const onDefect = (error: unknown) => logger.error({ err: error }, 'an inspection failed by our own fault');
  const engine = new Engine({
    rules: (plan) => sets.rulesFor(plan),
    now,
    elapsed,
    used: processorTime,
    onDefect,
    gathering,
    budget: testMode ? PATIENT : defaultBudget,
    ...(log && { logLine: (line) => log.write(line) }),
  });
  const comparisons = new Comparisons(clock, metrics);
  // What only watches writes no log.
  const watching = new Engine({ now, elapsed, used: processorTime, onDefect, gathering });
  const onCompared = (compared: Compared) => comparisons.add(compared);
  const inspector = new GuardedInspector({ deciding: engine, watching, kills, sets, onCompared });
  return { sets, kills, expired, comparisons, inspector };
}

/** A run of regression tests is about verdicts, whatever else the machine does meanwhile. */
const PATIENT = { slice: 4, base: 10_000, perKib: 0, most: 10_000 } as const;

/** Node 24 and later have it. */
const { threadCpuUsage: threadTime } = process as { readonly threadCpuUsage?: () => NodeJS.CpuUsage };

/** Milliseconds of processor time that this process has had; where Node can tell it, this thread. */
function processorTime(): number {
  const { user, system } = threadTime?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}

/** `crs-4.28.0 (installed, 622 rules)` */
function describeRules({ active }: RuleSets): string {
  const { text, ruleSet } = active;
  return `${text.name} (${text.origin}, ${ruleSet.rules.length} rules)`;
}

function statusOf(streams: OpenStreams, { sets, kills }: Rules): InspectionStatus {
  const { text, ruleSet } = sets.active;
  return {
    ruleset: text.name,
    origin: text.origin,
    rules: rules.length + ruleSet.rules.length,
    sha256: text.sha256,
    refused: sets.refused.map(({ name, problem }) => ({ name, problem: describeProblem(problem) })),
    kills: kills.list.length,
    plans: planIds,
    streams: streams.count,
    exchanges: streams.exchanges,
  };
}

async function openAdmin(
  config: WafConfig,
  runtime: Runtime,
  status: () => InspectionStatus,
  administration: Administration,
  opened: Opened,
): Promise<void> {
  const address = config.listen.admin;
  if (!address) return;
  const adminToken = await watchAdminToken(runtime.bus);
  opened.push(adminToken);
  const module = AdminModule.over(status, administration);
  opened.push(
    await createAdminApp({ module, area: 'waf', address, runtime, adminToken, title: 'Sallyport inspection' }),
  );
}

async function openRpc(
  config: WafConfig,
  runtime: Runtime,
  inspector: Inspector,
  streams: OpenStreams,
  opened: Opened,
): Promise<void> {
  const address = config.listen.grpc;
  if (!address) return;
  const services = { [INSPECTION_SERVICE]: wafV1.InspectionServiceService };
  opened.push(await createRpcServer({ module: DecideModule.over(inspector, streams), services, address, runtime }));
}
