import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aiV1, auditV1 } from '@sallyport/contracts';
import { testRuntime, type TestRuntime } from '@sallyport/testkit';
import { until } from './ingress-under-test';
import { openUsageLedger } from './usage-ledger';

let runtime: TestRuntime;
beforeEach(() => void (runtime = testRuntime('ingress')));
afterEach(() => runtime.close());

const settlement = (eventId: string) => aiV1.Settlement.fromPartial({ eventId, requestId: eventId });
const lane = () => join(runtime.config.spoolDir, 'usage', 'ingress-1');

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
});
