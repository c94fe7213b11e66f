import { turns } from '@sallyport/testkit';
import * as fc from 'fast-check';
import type { Spool } from './spool';
import { control, house, large, open, plain, settled, uids, type House } from './spool-under-test';
import { SpoolFull, type Receipt } from './trail';

describe('appending', () => {
  it('numbers the records of a chain from one and gives them back in order', async () => {
    const at = house();
    const { spool } = await open(at);
    expect(['a', 'b', 'c'].map((uid) => spool.append(plain(uid)).seq)).toEqual([1, 2, 3]);
    await spool.flush();
    expect(await uids(spool)).toEqual(['a', 'b', 'c']);
  });

  it('writes all records of one turn with one write, and syncs once', async () => {
    const at = house();
    const { spool } = await open(at);
    const { writes, syncs } = at.disk;
    for (let count = 0; count < 50; count++) spool.append(plain(`r${count}`));
    await at.scheduler.advance(10);
    expect({ writes: at.disk.writes - writes, syncs: at.disk.syncs - syncs }).toEqual({ writes: 1, syncs: 1 });
  });

  it('has written before it is durable, and is durable within milliseconds though nobody asks', async () => {
    const at = house();
    const { spool } = await open(at);
    const receipt = spool.append(plain('a'));
    await receipt.written;
    await turns();
    expect(spool.durableThrough).toBe(0);
    await at.scheduler.advance(5);
    expect(spool.durableThrough).toBe(1);
  });

  it('syncs at once for somebody who waits', async () => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(plain('a')).durable;
    expect(spool.durableThrough).toBe(1);
  });

  it('runs no timer while nothing comes, but the sign of life', async () => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(plain('a')).durable;
    await at.scheduler.advance(5_000);
    expect(at.scheduler.pending).toBe(1);
  });

  it('begins a new segment after a minute', async () => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(plain('a')).durable;
    at.clock.time += 60_000;
    await spool.append(plain('b')).durable;
    expect(at.disk.paths().filter((path) => path.endsWith('.spool'))).toEqual([
      '/spool/ingress-1/0000000000000001.spool',
      '/spool/ingress-1/0000000000000002.spool',
    ]);
    expect(await uids(spool)).toEqual(['a', 'b']);
  });

  it('begins a new segment after 8 MiB', async () => {
    const at = house();
    const { spool } = await open(at);
    for (let count = 0; count < 40; count++) await spool.append(large(`r${count}`, 256 * 1024)).written;
    await spool.flush();
    expect(spool.chains[0]!.segments.length).toBe(2);
  });
});

describe('trimming', () => {
  it('deletes whole segments that are committed, and never the one that grows', async () => {
    const at = house();
    const { spool } = await open(at);
    for (const uid of ['a', 'b', 'c']) {
      await spool.append(control(uid)).durable;
      at.clock.time += 60_000;
    }
    await spool.committed(spool.chain, 1);
    expect(await uids(spool)).toEqual(['b', 'c']);
    expect([spool.has('a'), spool.has('b')]).toEqual([false, true]);
    await spool.committed(spool.chain, 3);
    expect(spool.chains[0]!.segments.length).toBe(1);
  });
});

describe('after a crash', () => {
  it('goes on in the same chain with the next number', async () => {
    const at = house();
    const first = await open(at);
    await first.spool.append(plain('a')).written;
    first.kill();
    const second = await open(at);
    expect(second.spool.producer).toBe('ingress-1');
    expect(second.spool.chain).toBe(first.spool.chain);
    expect(second.spool.append(plain('b')).seq).toBe(2);
    await second.spool.flush();
    expect(await uids(second.spool)).toEqual(['a', 'b']);
  });

  it('goes on with the next number though a start in between died before it had a segment', async () => {
    const at = house();
    const first = await open(at);
    for (const uid of ['a', 'b', 'c']) first.spool.append(plain(uid));
    await first.spool.flush();
    first.kill();
    const second = await open(at);
    await second.spool.committed(second.spool.chain, 3);
    await second.spool.close();
    at.disk.faults.push({ call: 'sync', code: 'EIO', path: /reserve$/ });
    await expect(open(at)).rejects.toThrow('EIO');
    const { spool } = await open(at);
    expect([spool.chain, spool.append(plain('d')).seq]).toEqual([first.spool.chain, 4]);
    await spool.flush();
    expect(await uids(spool)).toEqual(['d']);
  });

  it('begins a new chain in a folder that has a name and no segment, and never counts the old one from one again', async () => {
    const at = house();
    const first = await open(at);
    await first.spool.append(plain('a')).durable;
    first.kill();
    await at.disk.remove('/spool/ingress-1/0000000000000001.spool');
    const { spool } = await open(at);
    expect(spool.producer).toBe('ingress-1');
    expect(spool.chain).not.toBe(first.spool.chain);
    expect(at.notes.at(-1)).toEqual({ what: 'chain-begun', chain: spool.chain });
  });

  it('leaves a folder to a process that lives, and takes the next', async () => {
    const at = house();
    const first = await open(at);
    const second = await open(at);
    expect(second.spool.producer).toBe('ingress-2');
    first.kill();
    expect((await open(at)).spool.producer).toBe('ingress-1');
  });

  it('believes a process of another container as long as it gives signs of life', async () => {
    const at = house();
    const other = at.processes.spawn(900, 'x', 'other container');
    at.disk.now = at.clock.time;
    await open(at, { processes: other });
    expect((await open(at)).spool.producer).toBe('ingress-2');
    at.clock.time += 21_000;
    expect((await open(at)).spool.producer).toBe('ingress-1');
  });

  it('finds control records again by uid', async () => {
    const at = house();
    const first = await open(at);
    await first.spool.append(control('change')).written;
    await first.spool.append(plain('request')).written;
    first.kill();
    const { spool } = await open(at);
    expect([spool.has('change'), spool.has('request'), spool.has('other')]).toEqual([true, false, false]);
  });

  it('keeps exactly the complete records of a file cut at any byte', async () => {
    const at = house();
    const first = await open(at);
    for (const uid of ['a', 'b', 'c']) await first.spool.append(plain(uid)).written;
    first.kill();
    const path = '/spool/ingress-1/0000000000000001.spool';
    const whole = Buffer.from(at.disk.contents(path));
    const chain = at.disk.contents('/spool/ingress-1/chain');
    const length = (whole.length - 64) / 3;
    for (let cut = 0; cut <= whole.length; cut++) {
      const again = house();
      again.disk.put('/spool/ingress-1/chain', chain);
      again.disk.put(path, whole.subarray(0, cut));
      const { spool } = await open(again);
      const complete = Math.max(0, Math.floor((cut - 64) / length));
      expect(await uids(spool)).toEqual(['a', 'b', 'c'].slice(0, complete));
      expect(spool.append(plain('d')).seq).toBe(complete + 1);
      const torn = cut <= 64 ? cut % 64 : (cut - 64) % length;
      expect(again.notes).toEqual(torn > 0 ? [{ what: 'torn-tail', bytes: torn }] : []);
    }
  });

  it('never loses a durable record, and never numbers two alike, over any sequence of crashes and power cuts', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constant('append' as const) },
      { weight: 2, arbitrary: fc.constant('durable' as const) },
      { weight: 1, arbitrary: fc.constant('minute' as const) },
      { weight: 1, arbitrary: fc.constant('crash' as const) },
      { weight: 1, arbitrary: fc.constant('power' as const) },
      { weight: 1, arbitrary: fc.constant('sync fails' as const) },
      { weight: 1, arbitrary: fc.constant('write fails' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const at = house();
        let current = await open(at);
        let count = 0;
        const durable = new Set<string>();
        const written = new Set<string>();
        for (const action of steps) {
          if (action === 'append') {
            const uid = `r${count++}`;
            const receipt = current.spool.append(plain(uid));
            await receipt.written;
            written.add(uid);
          } else if (action === 'durable') {
            const uid = `r${count++}`;
            await current.spool.append(plain(uid)).durable;
            durable.add(uid);
          } else if (action === 'minute') {
            at.clock.time += 60_000;
          } else if (action === 'sync fails') {
            at.disk.faults.push({ call: 'sync', code: 'EIO', path: /\.spool$/ });
          } else if (action === 'write fails') {
            at.disk.partialBytes = 11;
            at.disk.faults.push({ call: 'write', code: 'EIO', path: /\.spool$/ });
          } else {
            at.disk.faults.length = 0;
            if (action === 'power') {
              at.disk.cutPower();
              written.clear();
            }
            current.kill();
            current = await open(at);
          }
        }
        at.disk.faults.length = 0;
        await current.spool.flush();
        await at.scheduler.advance(1_000);
        const found = await uids(current.spool);
        for (const uid of [...durable, ...written]) expect(found).toContain(uid);
        expect(new Set(found).size).toBe(found.length);
        expect(at.notes.filter(({ what }) => what === 'damage')).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});

describe('damage', () => {
  it('is kept aside; the chain ends before it, what lies behind goes into a new one', async () => {
    const at = house();
    const first = await open(at);
    for (const uid of ['a', 'b', 'c']) await first.spool.append(plain(uid)).written;
    at.clock.time += 60_000;
    await first.spool.append(plain('d')).durable;
    first.kill();
    const path = '/spool/ingress-1/0000000000000001.spool';
    const bytes = Buffer.from(at.disk.contents(path));
    bytes[bytes.indexOf('"b"')] = 0;
    at.disk.put(path, bytes);

    at.clock.time += 1_000;
    const { spool } = await open(at);
    await spool.flush();
    const epoch = first.spool.chain.split('/')[2];
    expect(spool.chain).not.toBe(first.spool.chain);
    expect(spool.chains.map(({ chain }) => chain)).toEqual([first.spool.chain, spool.chain]);
    expect(await uids(spool)).toEqual(['a', 'c', 'd']);
    expect(at.disk.contents(`/spool/ingress-1/${epoch}-0000000000000001.spool.damaged`)).toEqual(bytes);
    expect(at.notes.slice(1)).toEqual([
      { what: 'chain-begun', chain: spool.chain, after: { chain: first.spool.chain, lastSound: 1 } },
      { what: 'damage', chain: first.spool.chain, lastSound: 1, salvaged: 2 },
    ]);

    await spool.committed(first.spool.chain, 1);
    expect(spool.chains.map(({ chain }) => chain)).toEqual([spool.chain]);
  });

  it('is also a segment that is missing between others', async () => {
    const at = house();
    const first = await open(at);
    for (const uid of ['a', 'b', 'c']) {
      await first.spool.append(plain(uid)).durable;
      at.clock.time += 60_000;
    }
    first.kill();
    await at.disk.remove('/spool/ingress-1/0000000000000002.spool');
    const { spool } = await open(at);
    await spool.flush();
    expect(await uids(spool)).toEqual(['a', 'c']);
    expect(at.notes.at(-1)).toMatchObject({ what: 'damage', lastSound: 1, salvaged: 1 });
  });
});

describe('a failed sync', () => {
  it('abandons the file, writes everything since the last good one again, and reports nothing durable before', async () => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(plain('a')).durable;
    at.disk.faults.push({ call: 'sync', code: 'EIO' });
    const receipt = spool.append(plain('b'));
    const order: string[] = [];
    void receipt.durable.then(() =>
      order.push(
        at.disk
          .paths()
          .filter((path) => path.endsWith('.spool'))
          .join(),
      ),
    );
    await at.scheduler.advance(1_000);
    expect(order).toEqual(['/spool/ingress-1/0000000000000001.spool,/spool/ingress-1/0000000000000002.spool']);
    expect(at.notes.at(-1)).toMatchObject({ what: 'sync-failed' });
    at.disk.cutPower();
    expect(await uids(spool)).toEqual(['a', 'b']);
  });
});

describe('a full spool', () => {
  const small = { maxBytes: 400 * 1024 };

  it('refuses ordinary records without taking a number, and still takes control records', async () => {
    const at = house();
    const { spool } = await open(at, small);
    for (let count = 0; count < 14; count++) await spool.append(large(`r${count}`, 10 * 1024)).durable;
    expect(spool.room()).toBe(true);
    const last = spool.append(large('r14', 10 * 1024));
    await last.durable;
    expect(spool.room()).toBe(false);
    const refused = spool.append(plain('x'));
    expect(refused.seq).toBe(0);
    await expect(refused.written).rejects.toThrow(SpoolFull);
    await expect(refused.durable).rejects.toThrow(SpoolFull);
    expect(spool.append(control('change')).seq).toBe(last.seq + 1);
  });

  it('states what was lost in exactly one record when space returns', async () => {
    const at = house();
    const { spool } = await open(at, small);
    for (let count = 0; count < 15; count++) await spool.append(large(`r${count}`, 10 * 1024)).durable;
    for (let count = 0; count < 5; count++) spool.append(plain(`lost${count}`));
    at.clock.time += 60_000;
    await spool.append(control('roll')).durable;
    await spool.committed(spool.chain, 15);
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
    const gaps = at.notes.flatMap((note) => (note.what === 'gap' ? [note.gap] : []));
    expect(gaps.map(({ counts }) => counts)).toEqual([{ 'request.completed/public': 5 }]);
    await spool.close();
    expect(JSON.parse(at.disk.contents('/spool/ingress-1/gap.page').toString())).toEqual([]);
  });

  it('states a gap that an earlier process counted, once, even when the process dies between record and page', async () => {
    const at = house();
    const first = await open(at, small);
    for (let count = 0; count < 15; count++) await first.spool.append(large(`r${count}`, 10 * 1024)).durable;
    first.spool.append(plain('lost'));
    await turns();
    const page = Buffer.from(at.disk.contents('/spool/ingress-1/gap.page'));
    first.kill();
    const second = await open(at);
    await second.spool.flush();
    await turns();
    second.kill();
    at.disk.put('/spool/ingress-1/gap.page', page);
    await open(at);
    expect(at.notes.filter(({ what }) => what === 'gap').length).toBe(1);
  });

  it('keeps what it accepted when the disk itself is full, leaves no partial record, and recovers', async () => {
    const at = house();
    at.disk.size = 1024 * 1024;
    const { spool } = await open(at);
    const receipts: Receipt[] = [];
    for (let count = 0; count < 120; count++) {
      const receipt = spool.append({
        ...plain(`r${count}`),
        body: () => Buffer.from(JSON.stringify({ metadata: { uid: `r${count}` }, x: 'x'.repeat(10_000) })),
      });
      receipts.push(receipt);
      await Promise.race([receipt.written.catch(() => undefined), at.scheduler.advance(20)]);
    }
    const taken = receipts.filter(({ seq }) => seq > 0);
    expect(taken.length).toBeLessThan(120);
    expect(spool.room()).toBe(false);
    await at.scheduler.advance(1_000);
    for (const receipt of taken) expect(await settled(receipt)).toEqual({ written: 'done', durable: 'done' });

    at.disk.size = Infinity;
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
    await spool.append(plain('after')).durable;
    const found = await uids(spool);
    expect(found.filter((uid) => uid.startsWith('r'))).toEqual(taken.map(({ uid }) => uid));
    const gaps = at.notes.flatMap((note) => (note.what === 'gap' ? [note.gap] : []));
    expect(gaps.map(({ counts }) => counts)).toEqual([{ 'request.completed/public': 120 - taken.length }]);
  });

  it('has room again once all it holds is committed, though its one segment filled the disk', async () => {
    const at = house();
    at.disk.size = 1024 * 1024;
    const { spool } = await open(at);
    const taken = await fill(spool, at);
    expect(spool.room()).toBe(false);
    await spool.committed(spool.chain, taken);
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
    expect(at.disk.used).toBeLessThan(300 * 1024);
    const next = spool.append(plain('after'));
    await next.durable;
    expect(next.seq).toBeGreaterThan(taken);
    expect(await uids(spool)).toContain('after');
  });

  it('has room again once all it holds is committed, though its one segment is all it may take', async () => {
    const at = house();
    const { spool } = await open(at, small);
    const taken = await fill(spool, at);
    expect(spool.room()).toBe(false);
    await spool.committed(spool.chain, taken);
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
  });

  it('goes on with the next number after a crash, though its one segment was let go', async () => {
    const at = house();
    const first = await open(at, small);
    const taken = await fill(first.spool, at);
    await first.spool.committed(first.spool.chain, taken);
    await turns();
    first.kill();
    const second = await open(at, small);
    expect(second.spool.append(plain('after')).seq).toBeGreaterThan(taken);
  });

  it('has room again when the disk has, though it had none even for the beginning of a segment', async () => {
    const at = house();
    at.disk.size = 1024 * 1024;
    const { spool } = await open(at);
    const taken = await fill(spool, at);
    at.disk.size = at.disk.used;
    await spool.committed(spool.chain, taken);
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(false);
    at.disk.size = 1024 * 1024;
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
  });
});

/** Appends ordinary records until one is refused. @returns the sequence of the last that was taken. */
async function fill(spool: Spool, at: House): Promise<number> {
  for (let last = 0; ;) {
    const receipt = spool.append(large('filling', 10_000));
    await Promise.race([receipt.durable.catch(() => undefined), at.scheduler.advance(20)]);
    if (receipt.seq === 0) return last;
    last = receipt.seq;
  }
}

describe('closing', () => {
  it('writes and syncs what is there, and leaves the folder to the next', async () => {
    const at = house();
    const { spool } = await open(at);
    const receipt = spool.append(plain('a'));
    await spool.close();
    await receipt.durable;
    const next = await open(at);
    expect(next.spool.producer).toBe('ingress-1');
    expect(await uids(next.spool)).toEqual(['a']);
    expect(at.notes.length).toBe(1);
  });

  it('refuses what comes later', async () => {
    const { spool } = await open(house());
    await spool.close();
    await expect(spool.append(plain('late')).written).rejects.toThrow(SpoolFull);
  });
});
