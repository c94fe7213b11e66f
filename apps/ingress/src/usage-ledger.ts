import { join } from 'node:path';
import { aiV1, auditV1, canonicalJson, subjects, type Json } from '@sallyport/contracts';
import type { Closable, Runtime } from '@sallyport/platform';
import { openSpool, startShipper } from '@sallyport/trail';

export interface UsageLedger extends Closable {
  /** Writes one settlement down. Never throws and never waits. */
  append(settlement: aiV1.Settlement): void;
}

/**
 * Opens the lane of usage facts: a spool on disk like the audit trail's, shipped to the ledger of the ai-router and trimmed
 * when the ledger has it. What a model call cost is so never lost, whatever happens to this process or the bus.
 */
export async function openUsageLedger({
  app,
  config,
  bus,
  clock,
  random,
  logger,
  metrics,
}: Runtime): Promise<UsageLedger> {
  const lost = metrics.counter('sallyport_ai_unrecorded_total', 'Settlements the usage spool did not take');
  const spool = await openSpool({
    directory: join(config.spoolDir, 'usage'),
    app,
    cluster: config.clusterName,
    maxBytes: config.spoolMaxBytes,
    random,
    clock,
  });
  const shipper = startShipper({
    spool,
    clock,
    publish: (batch, id) => bus.publish(subjects.usageBatch, batch, id === undefined ? {} : { id }),
    onBus: (error) =>
      error ? logger.warn({ err: error }, 'usage facts wait in the spool') : logger.info('usage facts flow again'),
  });
  const committed = await bus.subscribe(subjects.usageCommitted, ({ data }) => {
    const { chain, seq } = auditV1.SpoolCommitted.decode(data);
    shipper.committed(chain, Number(seq));
  });
  return {
    append(settlement) {
      const body = Buffer.from(canonicalJson(aiV1.Settlement.toJSON(settlement) as Json));
      const receipt = spool.append({ uid: settlement.eventId, label: 'usage', control: false, body: () => body });
      receipt.written.catch(() => {
        lost.add();
        logger.error({ request_id: settlement.requestId }, 'the usage spool is full');
      });
    },
    async close() {
      await shipper.close();
      await committed.stop();
      await spool.close();
    },
  };
}
