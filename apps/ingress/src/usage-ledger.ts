import { join } from 'node:path';
import { aiV1, auditV1, canonicalJson, subjects, type Json } from '@sallyport/contracts';
import type { Closable, Runtime } from '@sallyport/platform';
import { adoptOrphans, openSpool, startShipper, type Receipt, type Spool, type SpoolNote } from '@sallyport/trail';

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
  const happened = metrics.counter(
    'sallyport_ai_usage_spool_events_total',
    'What happened to the usage spool itself: damage, failed writes, a lost folder, gaps.',
    ['what'],
  );
  const place = {
    directory: join(config.spoolDir, 'usage'),
    app,
    cluster: config.clusterName,
    maxBytes: config.spoolMaxBytes,
    random,
    clock,
  };
  const spool = await openSpool(place);

  function write(uid: string, body: Uint8Array): void {
    const receipt = spool.append({ uid, label: 'usage', control: false, body: () => body });
    receipt.written.catch(() => {
      lost.add();
      logger.error({ event_id: uid }, 'the usage spool did not take a settlement');
    });
  }

  function watch(watched: Spool): void {
    watched.watch({
      note(note) {
        happened.add(1, { what: note.what });
        logger[levelOf(note)]({ note }, 'usage spool');
        // The lane holds settlements only: the line of the log is where a gap is stated.
        return note.what === 'gap' ? stated(note.gap.uid) : undefined;
      },
      // The ledger knows a settlement by its event's id: one that it has already is not counted twice.
      entryOf: ({ seq, body }) => ({ uid: `salvaged-${seq}`, label: 'usage', control: false, body: () => body }),
    });
  }

  watch(spool);
  const publish = (batch: Uint8Array, id: string | undefined) =>
    bus.publish(subjects.usageBatch, batch, id === undefined ? {} : { id });
  const shipper = startShipper({
    spool,
    clock,
    publish,
    onBus: (error) =>
      error ? logger.warn({ err: error }, 'usage facts wait in the spool') : logger.info('usage facts flow again'),
  });
  const orphans = adoptOrphans({
    ...place,
    publish,
    watch,
    onFailure: (error) => logger.warn({ err: error }, 'a usage spool that was left behind cannot be adopted'),
  });
  const committed = await bus.subscribe(subjects.usageCommitted, ({ data }) => {
    const { chain, seq } = auditV1.SpoolCommitted.decode(data);
    shipper.committed(chain, Number(seq));
    orphans.committed(chain, Number(seq));
  });
  return {
    append(settlement) {
      write(settlement.eventId, Buffer.from(canonicalJson(aiV1.Settlement.toJSON(settlement) as Json)));
    },
    async close() {
      await orphans.close();
      await shipper.close();
      await committed.stop();
      await spool.close();
    },
  };
}

function levelOf({ what }: SpoolNote): 'debug' | 'info' | 'error' {
  if (what === 'chain-begun') return 'debug';
  return what === 'torn-tail' ? 'info' : 'error';
}

/** Of a note that is told as soon as it is logged. */
function stated(uid: string): Receipt {
  return { uid, seq: 0, written: Promise.resolve(), durable: Promise.resolve() };
}
