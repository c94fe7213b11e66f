import { auditV1 } from '@sallyport/contracts';
import { FakeDisk, FakeProcesses, FakeScheduler, turns } from '@sallyport/testkit';
import { controlReported } from './kinds';
import { openTrail, type TrailOptions } from './open-trail';
import { adoptTrails } from './orphans';
import { mortal } from './spool-under-test';

function bench() {
  const clock = { time: 1_795_450_000_000, now: () => clock.time, monotonic: () => clock.time };
  const scheduler = new FakeScheduler();
  const disk = new FakeDisk();
  const processes = new FakeProcesses();
  let seed = 0;
  let pid = 0;
  const process = () => processes.spawn(++pid, String(pid));
  const random = (count: number) => Buffer.alloc(count, ++seed);
  const options = (of: ReturnType<typeof process>, life = { over: false }): TrailOptions => ({
    directory: '/spool',
    app: 'ingress',
    cluster: 'cluster-a',
    maxBytes: 64 * 1024 * 1024,
    version: '0.1.0',
    tenant: 'system',
    clock,
    random,
    scheduler,
    files: mortal(disk, life),
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
  /** A trail of a process, and what ends that process. */
  const openDying = async () => {
    const [dying, life] = [process(), { over: false }];
    const left = await openTrail(options(dying, life));
    const die = () => {
      life.over = true;
      processes.die(dying);
    };
    return { left, die };
  };
  return { disk, openDying, process, options, event, sent, publish, pass };
}

describe('the folder of a process that does not come back', () => {
  it('is shipped under its own chain, and removed once all of it is committed', async () => {
    const { disk, openDying, process, options, event, sent, publish, pass } = bench();
    const living = process();
    await openTrail(options(living));
    const { left, die } = await openDying();
    await left.append(event()).durable;
    die();
    const orphans = adoptTrails({ ...options(living), publish });
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
    const { openDying, process, options, event, publish, pass } = bench();
    const living = process();
    await openTrail(options(living));
    const { left, die } = await openDying();
    await left.append(event()).durable;
    die();
    const orphans = adoptTrails({ ...options(living), publish });
    await pass(61_000);
    const closing = orphans.close();
    await pass(6_000);
    await closing;
    const next = await openTrail(options(process()));
    expect([next.producer, next.spool.chain]).toEqual(['ingress-2', left.spool.chain]);
  });

  it('is shipped also when another one cannot be opened, which is tried again', async () => {
    const { disk, openDying, process, options, event, sent, publish, pass } = bench();
    const living = process();
    await openTrail(options(living));
    const both = [await openDying(), await openDying()];
    for (const { left } of both) await left.append(event()).durable;
    for (const { die } of both) die();
    disk.faults.push({ call: 'open', code: 'EIO', path: /ingress-2\/.*spool$/ });
    const failures: unknown[] = [];
    const orphans = adoptTrails({ ...options(living), publish, onFailure: (error) => failures.push(error) });
    await pass(61_000);
    const shipped = () => new Set(sent.map(({ chain }) => chain));
    expect(failures.length).toBe(1);
    expect(shipped()).toEqual(new Set([both[1]!.left.spool.chain]));
    orphans.committed(both[1]!.left.spool.chain, 2);
    await pass(65_000);
    expect(shipped()).toEqual(new Set(both.map(({ left }) => left.spool.chain)));
    await orphans.close();
  });

  it('is taken over again by the next owner once it was emptied', async () => {
    const { openDying, process, options, event, publish, pass } = bench();
    const living = process();
    await openTrail(options(living));
    const { left, die } = await openDying();
    await left.append(event()).durable;
    const { chain } = left.spool;
    die();
    const orphans = adoptTrails({ ...options(living), publish });
    await pass(61_000);
    orphans.committed(chain, 2);
    await pass(2_000);
    await orphans.close();
    const next = await openTrail(options(process()));
    await next.append(event()).durable;
    expect(next.producer).toBe('ingress-2');
    expect(next.spool.chains.map(({ chain: name }) => name)).toEqual([next.spool.chain]);
    expect(next.spool.chain).not.toBe(chain);
    await next.close();
    const again = await openTrail(options(process()));
    expect([again.producer, again.spool.chain]).toEqual(['ingress-2', next.spool.chain]);
  });

  it('is left alone while its process lives', async () => {
    const { process, options, event, sent, publish, pass } = bench();
    const [one, other] = [process(), process()];
    await openTrail(options(one));
    await (await openTrail(options(other))).append(event()).durable;
    const orphans = adoptTrails({ ...options(one), publish });
    await pass(130_000);
    expect(sent).toEqual([]);
    await orphans.close();
  });
});
