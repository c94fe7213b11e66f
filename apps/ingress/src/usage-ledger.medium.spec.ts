import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aiV1, auditV1, subjects } from '@sallyport/contracts';
import { testRuntime, type TestRuntime } from '@sallyport/testkit';
import { until } from './ingress-under-test';
import { openUsageLedger } from './usage-ledger';

let runtime: TestRuntime;
beforeEach(() => void (runtime = testRuntime('ingress')));
afterEach(() => runtime.close());

const settlement = (eventId: string) => aiV1.Settlement.fromPartial({ eventId, requestId: eventId });
const lane = (number = 1) => join(runtime.config.spoolDir, 'usage', `ingress-${number}`);

/** Writes settlements down while the bus takes none. */
async function leave(eventIds: readonly string[]): Promise<void> {
  const publish = jest.spyOn(runtime.bus, 'publish').mockRejectedValue(new Error('no bus'));
  const ledger = await openUsageLedger(runtime);
  for (const eventId of eventIds) ledger.append(settlement(eventId));
  await ledger.close();
  publish.mockRestore();
}

/** Event ids as the ledger of the ai-router is given them. */
function heard(): string[] {
  const eventIds: string[] = [];
  jest.spyOn(runtime.bus, 'publish').mockImplementation(async (_, batch) => {
    for (const body of auditV1.Batch.decode(batch).bodies) {
      eventIds.push((JSON.parse(Buffer.from(body).toString()) as { eventId: string }).eventId);
    }
  });
  return eventIds;
}

/** Lets time pass that is not real, and the disk answer, until something is so. */
async function passUntil(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !isSo();) {
    if (performance.now() > end) throw new Error('not within 20 s');
    await jest.advanceTimersByTimeAsync(250);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The ledger of the ai-router has the records of a folder's chain up to `seq`. */
async function commit(folder: number, seq: number): Promise<void> {
  const chain = readFileSync(join(lane(folder), 'chain'), 'utf8');
  const message = auditV1.SpoolCommitted.encode({ chain, seq: BigInt(seq) }).finish();
  jest.mocked(runtime.bus.publish).mockRestore();
  await runtime.bus.publish(subjects.usageCommitted, message, {});
}

describe('the lane of usage facts', () => {
  it('ships what lies behind a damage again, and says that there was one', async () => {
    await leave(['e1', 'e2', 'e3', 'e4', 'e5']);
    const segment = join(
      lane(),
      readdirSync(lane()).find((name) => name.endsWith('.spool'))!,
    );
    const bytes = readFileSync(segment);
    bytes[bytes.indexOf('"e2"')]! ^= 1;
    writeFileSync(segment, bytes);

    const eventIds = heard();
    const ledger = await openUsageLedger(runtime);
    ledger.append(settlement('e6'));
    await until(() => eventIds.length === 5);
    expect([...eventIds].sort()).toEqual(['e1', 'e3', 'e4', 'e5', 'e6']);
    expect(await runtime.metrics.exposition()).toMatch(/usage_spool_events_total\{[^}]*what="damage"[^}]*\} 1/);
    await ledger.close();
  });

  it('states the settlements that an earlier process could not write down, once', async () => {
    await leave(['e1']);
    const gap = [{ uid: 'u', first: 1, last: 2, counts: { usage: 3 } }];
    writeFileSync(join(lane(), 'gap.page'), JSON.stringify(gap).padEnd(4096));
    for (let start = 0; start < 2; start++) {
      heard();
      await (await openUsageLedger(runtime)).close();
    }
    expect(await runtime.metrics.exposition()).toMatch(/usage_spool_events_total\{[^}]*what="gap"[^}]*\} 1/);
    expect(readFileSync(join(lane(), 'gap.page'), 'utf8').trim()).toBe('[]');
  });

  it('is shipped also from the folder of a process that does not come back, which is emptied then', async () => {
    const publish = jest.spyOn(runtime.bus, 'publish').mockRejectedValue(new Error('no bus'));
    const both = [await openUsageLedger(runtime), await openUsageLedger(runtime)];
    both[1]!.append(settlement('e1'));
    for (const ledger of both) await ledger.close();
    publish.mockRestore();

    const eventIds = heard();
    const segments = () => readdirSync(lane(2)).filter((name) => name.endsWith('.spool'));
    expect(segments().length).toBe(1);
    jest.useFakeTimers({ doNotFake: ['Date', 'performance', 'hrtime', 'nextTick', 'queueMicrotask', 'setImmediate'] });
    try {
      const ledger = await openUsageLedger(runtime);
      await passUntil(() => eventIds.length === 1);
      expect(eventIds).toEqual(['e1']);
      await commit(2, 1);
      await passUntil(() => segments().length === 0);
      let isClosed = false;
      void ledger.close().then(() => (isClosed = true));
      await passUntil(() => isClosed);
    } finally {
      jest.useRealTimers();
    }
  });
});
