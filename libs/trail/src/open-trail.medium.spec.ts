import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { controlReported } from './kinds';
import { nodeProcesses } from './node-ports';
import { openTrail, type TrailOptions } from './open-trail';
import { SpoolFull } from './trail';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'sp-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (more: Partial<TrailOptions> = {}) =>
  openTrail({
    directory: folder,
    app: 'ingress',
    cluster: 'cluster-a',
    maxBytes: 64 * 1024 * 1024,
    version: '0.1.0',
    tenant: 'system',
    random: randomBytes,
    ...more,
  });
const event = () =>
  controlReported({ now: Date.now(), random: randomBytes, tenant: 'default', app: 'ingress', what: 'start' });

async function bodies(trail: Awaited<ReturnType<typeof open>>) {
  await trail.spool.flush();
  const found: { what: string; seq: number }[] = [];
  const [files] = trail.spool.chains;
  for (let next = 1; ;) {
    const run = await files!.read(next, trail.spool.durableThrough, { records: 256, bytes: 1e6 });
    if (!run) return found;
    for (const body of run.bodies) {
      const { metadata, unmapped } = JSON.parse(body.toString()) as {
        metadata: { sequence: number };
        unmapped: { sallyport: { what: string } };
      };
      found.push({ what: unmapped.sallyport.what, seq: metadata.sequence });
    }
    next = run.firstSeq + run.bodies.length;
  }
}

describe('a trail on a real disk', () => {
  it('goes on in its chain after it was closed and opened again', async () => {
    const first = await open();
    await first.append(event()).durable;
    await first.close();
    const second = await open();
    expect([second.producer, second.spool.chain]).toEqual([first.producer, first.spool.chain]);
    await second.append(event()).durable;
    expect(await bodies(second)).toEqual([
      { what: 'chain-begun', seq: 1 },
      { what: 'start', seq: 2 },
      { what: 'start', seq: 3 },
    ]);
    await second.close();
  });

  it('cuts a torn tail off and records that it did', async () => {
    const first = await open();
    await first.append(event()).durable;
    await first.append(event()).durable;
    await first.close();
    const [segment] = (await readdir(join(folder, 'ingress-1'))).filter((name) => name.endsWith('.spool'));
    const path = join(folder, 'ingress-1', segment!);
    await truncate(path, (await stat(path)).size - 1);
    const second = await open();
    expect(await bodies(second)).toEqual([
      { what: 'chain-begun', seq: 1 },
      { what: 'start', seq: 2 },
      { what: 'torn-tail', seq: 3 },
    ]);
    await second.close();
  });

  it('gives each of several in one process a folder of its own', async () => {
    const trails = [await open(), await open(), await open()];
    expect(trails.map(({ producer }) => producer)).toEqual(['ingress-1', 'ingress-2', 'ingress-3']);
    await Promise.all(trails.map((trail) => trail.close()));
  });

  it('takes 20,000 records in a burst, in order, without missing one', async () => {
    const trail = await open();
    for (let count = 0; count < 20_000; count++) {
      const receipt = trail.append(event());
      if (count % 500 === 0) await receipt.written;
    }
    const found = await bodies(trail);
    expect(found.map(({ seq }) => seq)).toEqual(Array.from({ length: 20_001 }, (_, at) => at + 1));
    await trail.close();
  }, 30_000);

  it('refuses by value, never by throwing, once it is closed', async () => {
    const trail = await open();
    await trail.close();
    const receipt = trail.append(event());
    expect(receipt.seq).toBe(0);
    await expect(receipt.durable).rejects.toThrow(SpoolFull);
  });
});

describe('a process of this host', () => {
  it('is told from a later one with its id', () => {
    const processes = nodeProcesses();
    expect(processes.isAlive(processes.pid, processes.started)).toBe(true);
    expect(processes.isAlive(processes.pid, 'earlier')).toBe(false);
    expect(processes.isAlive(2 ** 22 + 1, '1')).toBe(false);
  });
});
