import { auditV1 } from '@sallyport/contracts';
import { FakeDisk, FakeProcesses, FakeScheduler, turns } from '@sallyport/testkit';
import { controlReported } from './kinds';
import { openTrail, type TrailOptions } from './open-trail';
import { adoptOrphans } from './orphans';

function bench() {
  const clock = { time: 1_795_450_000_000, now: () => clock.time, monotonic: () => clock.time };
  const scheduler = new FakeScheduler();
  const disk = new FakeDisk();
  const processes = new FakeProcesses();
  let seed = 0;
  let pid = 0;
  const process = () => processes.spawn(++pid, String(pid));
  const random = (count: number) => Buffer.alloc(count, ++seed);
  const options = (of: ReturnType<typeof process>): TrailOptions => ({
    directory: '/spool',
    app: 'ingress',
    cluster: 'cluster-a',
    maxBytes: 64 * 1024 * 1024,
    version: '0.1.0',
    tenant: 'system',
    clock,
    random,
    scheduler,
    files: disk,
    processes: of,
  });
  const event = () => controlReported({ now: clock.time, random, tenant: 'default', app: 'ingress', what: 'start' });
  const sent: auditV1.Batch[] = [];
  const publish = async (bytes: Uint8Array) => void sent.push(auditV1.Batch.decode(bytes));
  const pass = async (milliseconds: number) => {
    for (let left = milliseconds; left > 0; left -= 500) {
      clock.time += 500;
      await scheduler.advance(500);
    }
    await turns();
  };
  return { disk, processes, process, options, event, sent, publish, pass };
}

describe('the folder of a process that does not come back', () => {
  it('is shipped under its own chain, and removed once all of it is committed', async () => {
    const { disk, processes, process, options, event, sent, publish, pass } = bench();
    const [living, dying] = [process(), process()];
    await openTrail(options(living));
    const left = await openTrail(options(dying));
    await left.append(event()).durable;
    processes.die(dying);
    const orphans = adoptOrphans({ ...options(living), publish });
    await pass(61_000);
    expect(sent.map(({ chain, firstSeq, bodies }) => [chain, firstSeq, bodies.length])).toEqual([
      [left.spool.chain, 1n, 2],
    ]);
    await pass(5_000);
    expect(disk.paths().some((path) => path.startsWith('/spool/ingress-2/'))).toBe(true);
    orphans.committed(left.spool.chain, 2);
    await pass(2_000);
    expect(disk.paths().filter((path) => path.startsWith('/spool/ingress-2'))).toEqual([]);
    expect((await openTrail(options(process()))).spool.chain).not.toBe(left.spool.chain);
    await orphans.close();
  });

  it('is given up again by a process that ends before all is committed', async () => {
    const { processes, process, options, event, publish, pass } = bench();
    const [living, dying] = [process(), process()];
    await openTrail(options(living));
    const left = await openTrail(options(dying));
    await left.append(event()).durable;
    processes.die(dying);
    const orphans = adoptOrphans({ ...options(living), publish });
    await pass(61_000);
    const closing = orphans.close();
    await pass(6_000);
    await closing;
    const next = await openTrail(options(process()));
    expect([next.producer, next.spool.chain]).toEqual(['ingress-2', left.spool.chain]);
  });

  it('is left alone while its process lives', async () => {
    const { process, options, event, sent, publish, pass } = bench();
    const [one, other] = [process(), process()];
    await openTrail(options(one));
    await (await openTrail(options(other))).append(event()).durable;
    const orphans = adoptOrphans({ ...options(one), publish });
    await pass(130_000);
    expect(sent).toEqual([]);
    await orphans.close();
  });
});
