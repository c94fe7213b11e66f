import { wafV1 } from '@sallyport/contracts';
import {
  type Closable,
  createAdminApp,
  createRpcServer,
  type Opened,
  opening,
  type Runtime,
  startHealth,
  watchAdminToken,
} from '@sallyport/platform';
import { Engine, planIds, rules, type Inspector } from '@sallyport/waf';
import { AdminModule } from './admin/admin.module';
import type { InspectionStatus } from './admin/status.controller';
import type { WafConfig } from './config';
import { CountedInspector } from './counted-inspector';
import { DecideModule } from './decide/decide.module';
import { INSPECTION_SERVICE } from './decide/inspection.controller';
import { OpenStreams } from './decide/open-streams';

export interface RunningWaf extends Closable {
  /** The engine, for an ingress in the same process. */
  readonly inspector: Inspector;
}

/**
 * Starts the waf service on the listeners its config opens. It needs nothing but the bus, for the admin token.
 * @throws ListenError when an address is taken.
 */
export async function startWaf(config: WafConfig, runtime: Runtime): Promise<RunningWaf> {
  return opening(async (opened) => {
    const inspector = new CountedInspector(new Engine(), runtime.metrics);
    const streams = new OpenStreams();
    runtime.metrics
      .gauge('sallyport_waf_open_exchanges', 'Exchanges of Decide streams that wait for more of their body.')
      .observe(() => streams.exchanges);
    await openAdmin(config, runtime, () => statusOf(streams), opened);
    await openRpc(config, runtime, inspector, streams, opened);
    if (config.listen.health) {
      const ready = () => ({ ready: !opened.ending, reasons: opened.ending ? ['draining'] : [] });
      opened.push(await startHealth({ address: config.listen.health, metrics: runtime.metrics, ready }));
    }
    return { inspector };
  });
}

function statusOf(streams: OpenStreams): InspectionStatus {
  return {
    ruleset: 'built-in',
    rules: rules.length,
    plans: planIds,
    streams: streams.count,
    exchanges: streams.exchanges,
  };
}

async function openAdmin(
  config: WafConfig,
  runtime: Runtime,
  status: () => InspectionStatus,
  opened: Opened,
): Promise<void> {
  const address = config.listen.admin;
  if (!address) return;
  const adminToken = await watchAdminToken(runtime.bus);
  opened.push(adminToken);
  const module = AdminModule.over(status);
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
