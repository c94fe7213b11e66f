import { auditV1 } from '@sallyport/contracts';
import { FakeDisk, FakeProcesses, FakeScheduler, turns } from '@sallyport/testkit';
import { startShipper } from './shipper';
import { Spool } from './spool';

interface Sent {
  readonly id: string | undefined;
  readonly batch: auditV1.Batch;
}

async function bench() {
  const clock = { time: 1_795_450_000_000, now: () => clock.time, monotonic: () => clock.time };
  const scheduler = new FakeScheduler();
  const disk = new FakeDisk();
  const processes = new FakeProcesses();
  let started = 0;
  const open = () =>
    Spool.open({
      root: '/spool',
      app: 'ingress',
      cluster: 'cluster-a',
      maxBytes: 64 * 1024 * 1024,
      clock,
      random: (count) => Buffer.alloc(count, 5),
      files: disk,
      scheduler,
      processes: processes.spawn(1, String(++started)),
    });
  const sent: Sent[] = [];
  const bus = { down: false, meanwhile: undefined as ((bytes: Uint8Array) => Promise<void>) | undefined };
  const ship = (spool: Spool) =>
    startShipper({
      spool,
      clock,
      scheduler,
      publish: async (bytes, id) => {
        if (bus.down) throw new Error('no bus');
        sent.push({ id, batch: auditV1.Batch.decode(bytes) });
        await bus.meanwhile?.(bytes);
      },
    });
  const append = (spool: Spool, count: number, bytes = 20) => {
    for (let at = 0; at < count; at++) {
      spool.append({
        uid: `u${at}`,
        label: 'x',
        control: false,
        body: (_, seq) => Buffer.from(String(seq).padStart(bytes, '0')),
      });
    }
  };
  const pass = async (milliseconds: number) => {
    for (let left = milliseconds; left > 0; left -= 250) {
      clock.time += Math.min(250, left);
      await scheduler.advance(Math.min(250, left));
    }
    await turns();
  };
  const seqs = () => sent.flatMap(({ batch }) => batch.bodies.map((body) => Number(body.toString())));
  return { clock, scheduler, open, ship, sent, bus, append, pass, seqs, spool: await open() };
}

const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, at) => from + at);

describe('the shipper', () => {
  it('publishes what is durable, in order, at most 256 records in a batch, under the range as id', async () => {
    const { spool, ship, append, pass, sent, seqs } = await bench();
    ship(spool);
    append(spool, 600);
    expect(sent).toEqual([]);
    await pass(1_000);
    expect(seqs()).toEqual(upTo(600));
    expect(sent.map(({ id }) => id)).toEqual(['1-256', '257-512', '513-600'].map((range) => `${spool.chain}:${range}`));
    expect(sent.map(({ batch }) => [batch.chain, batch.firstSeq])).toEqual(
      [1n, 257n, 513n].map((seq) => [spool.chain, seq]),
    );
  });

  it('keeps a batch within 256 KiB', async () => {
    const { spool, ship, append, pass, sent, seqs } = await bench();
    ship(spool);
    append(spool, 40, 30_000);
    await pass(1_000);
    expect(seqs()).toEqual(upTo(40));
    for (const { batch } of sent) {
      expect(batch.bodies.reduce((sum, body) => sum + body.length, 0)).toBeLessThanOrEqual(256 * 1024);
    }
  });

  it('leaves the bytes of a batch alone until the bus has answered for them, and for good where it has refused', async () => {
    const { spool, ship, append, pass, bus, seqs } = await bench();
    const held: { bytes: Uint8Array; as: Buffer; answer: (error?: Error) => void }[] = [];
    bus.meanwhile = (bytes) =>
      new Promise((resolve, reject) => {
        const answer = (error?: Error): void => (error ? reject(error) : resolve());
        held.push({ bytes, as: Buffer.from(bytes), answer });
      });
    ship(spool);
    append(spool, 5 * 256);
    await pass(1_000);
    expect(held.length).toBe(4);
    expect(new Set(held.map(({ bytes }) => bytes.buffer)).size).toBe(4);
    const refused = held[0]!;
    for (const { answer } of held.slice(1)) answer();
    refused.answer(new Error('no bus'));
    bus.meanwhile = undefined;
    await pass(20_000);
    expect(new Set(seqs())).toEqual(new Set(upTo(5 * 256)));
    expect(Buffer.from(refused.bytes).equals(refused.as)).toBe(true);
  });

  it('keeps everything while the bus is down and sends it once it is back', async () => {
    const { spool, ship, append, pass, bus, seqs } = await bench();
    const shipper = ship(spool);
    bus.down = true;
    append(spool, 300);
    await pass(20_000);
    expect(shipper.waiting()).toBe(300);
    bus.down = false;
    await pass(6_000);
    expect(seqs()).toEqual(upTo(300));
  });

  it('publishes again, without an id, what was not committed within 15 s', async () => {
    const { spool, ship, append, pass, sent } = await bench();
    const shipper = ship(spool);
    append(spool, 10);
    await pass(1_000);
    shipper.committed(spool.chain, 4);
    await pass(14_000);
    expect(sent.length).toBe(1);
    await pass(2_000);
    expect(sent.slice(1).map(({ id, batch }) => [id, batch.firstSeq, batch.bodies.length])).toEqual([
      [undefined, 5n, 6],
    ]);
    shipper.committed(spool.chain, 10);
    await pass(60_000);
    expect(sent.length).toBe(2);
    expect(shipper.waiting()).toBe(0);
  });

  it('goes on with new records after a repetition, skipping none', async () => {
    const { spool, ship, append, pass, sent } = await bench();
    ship(spool);
    append(spool, 10);
    await pass(16_000);
    append(spool, 5);
    await pass(1_000);
    const fresh = sent.filter(({ id }) => id !== undefined);
    expect(fresh.map(({ batch }) => [batch.firstSeq, batch.bodies.length])).toEqual([
      [1n, 10],
      [11n, 5],
    ]);
  });

  it('runs no timer once everything is committed', async () => {
    const { spool, ship, append, pass, scheduler } = await bench();
    const shipper = ship(spool);
    append(spool, 10);
    await pass(1_000);
    shipper.committed(spool.chain, 10);
    await pass(30_000);
    expect(scheduler.pending).toBe(1); // the spool's own sign of life
  });

  it('ships the first record at once, and those that follow together', async () => {
    const { spool, ship, append, scheduler, sent } = await bench();
    const tick = async (milliseconds: number) => {
      await scheduler.advance(milliseconds);
      await turns();
    };
    ship(spool);
    await tick(1_000);
    for (let at = 0; at < 4; at++) {
      append(spool, 1);
      await tick(5);
    }
    await tick(100);
    expect(sent.map(({ batch }) => batch.bodies.length)).toEqual([1, 3]);
  });

  it('leaves what becomes durable while it sends to the next time, instead of following each sync', async () => {
    const { spool, ship, append, pass, bus, sent } = await bench();
    bus.meanwhile = async () => {
      bus.meanwhile = undefined;
      append(spool, 5);
      await spool.flush();
    };
    append(spool, 4 * 256 + 1);
    await spool.flush();
    ship(spool);
    await pass(1_000);
    expect(sent.map(({ batch }) => batch.bodies.length)).toEqual([256, 256, 256, 256, 1, 5]);
  });

  it('trims what is committed', async () => {
    const { spool, ship, append, pass, clock } = await bench();
    const shipper = ship(spool);
    append(spool, 1);
    await pass(100);
    clock.time += 60_000;
    append(spool, 1);
    await pass(100);
    expect(spool.chains[0]!.segments.length).toBe(2);
    shipper.committed(spool.chain, 2);
    await turns();
    expect(spool.chains[0]!.segments.length).toBe(1);
  });

  it('sends on closing what was appended last, and after the next start what was left', async () => {
    const { spool, open, ship, append, pass, bus, seqs, sent } = await bench();
    const shipper = ship(spool);
    append(spool, 3);
    await shipper.close();
    expect(seqs()).toEqual(upTo(3));
    bus.down = true;
    append(spool, 2);
    await spool.close();
    bus.down = false;
    const next = await open();
    ship(next);
    await pass(1_000);
    expect(sent.at(-1)!.batch.chain).toBe(spool.chain);
    expect(seqs().slice(3)).toEqual(upTo(5));
  });
});
