import { turns, type FakeDisk } from '@sallyport/testkit';
import { control, house, open, plain, settled, uids, type House } from './spool-under-test';

/** From now on nothing can be written, for another reason than want of space. */
function fail(disk: FakeDisk, code: string): void {
  disk.faults.push(
    { call: 'write', code, path: /\.spool$/, lasting: true },
    { call: 'open', code, path: /next$/, lasting: true },
  );
}

function heal({ faults }: FakeDisk): void {
  faults.length = 0;
}

/** From now on writes and syncs are over only when the answer is given. */
function hold(disk: FakeDisk): () => void {
  let answer = (): void => {};
  disk.held = new Promise((resolve) => (answer = resolve));
  return answer;
}

const gapsOf = ({ notes }: House) => notes.flatMap((note) => (note.what === 'gap' ? [note.gap.counts] : []));
const pageOf = ({ disk }: House) =>
  (JSON.parse(disk.contents('/spool/ingress-1/gap.page').toString()) as { counts: object }[]).map(
    ({ counts }) => counts,
  );

describe('a disk that fails for another reason than want of space', () => {
  it.each(['EIO', 'EROFS', 'ENOENT'])('keeps nobody waiting, and is no room (%s)', async (code) => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(plain('a')).durable;
    fail(at.disk, code);
    expect(await settled(spool.append(plain('b')))).toEqual({ written: 'refused', durable: 'refused' });
    expect(spool.room()).toBe(false);
    expect(spool.append(plain('lost')).seq).toBe(0);
    expect(await settled(spool.append(control('c')))).toEqual({ written: 'refused', durable: 'refused' });
  });

  it('is told once, and not with each try', async () => {
    const at = house();
    const { spool } = await open(at);
    fail(at.disk, 'EROFS');
    spool.append(plain('a'));
    await at.scheduler.advance(60_000);
    expect(at.notes.map(({ what }) => what)).toEqual(['chain-begun', 'write-failed', 'write-failed']);
  });

  it('gets everything that was taken once it works again, and then the gap of what was not', async () => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(plain('a')).durable;
    fail(at.disk, 'EIO');
    spool.append(plain('b'));
    await at.scheduler.advance(1_000);
    spool.append(plain('lost'));
    spool.append(plain('lost, too'));
    heal(at.disk);
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
    expect(gapsOf(at)).toEqual([{ 'request.completed/public': 2 }]);
    await spool.append(plain('c')).durable;
    expect((await uids(spool)).filter((uid) => uid.length === 1)).toEqual(['a', 'b', 'c']);
  });

  it('counts what waits as lost as long as it waits, for the process may end before', async () => {
    const at = house();
    const { spool } = await open(at);
    fail(at.disk, 'EIO');
    spool.append(plain('a'));
    await at.scheduler.advance(1_000);
    expect(pageOf(at)).toEqual([{ 'request.completed/public': 1 }]);
    heal(at.disk);
    await at.scheduler.advance(1_000);
    expect(pageOf(at)).toEqual([]);
    expect(gapsOf(at)).toEqual([]);
  });

  it('fails also for a record that is written and not yet durable', async () => {
    const at = house();
    const { spool } = await open(at);
    at.disk.faults.push({ call: 'sync', code: 'EIO', lasting: true });
    expect(await settled(spool.append(plain('a')))).toEqual({ written: 'done', durable: 'refused' });
    expect(spool.room()).toBe(false);
  });
});

describe('a disk that does not answer', () => {
  it('keeps nobody waiting for more than five seconds, and is no room until it answers', async () => {
    const at = house();
    const { spool } = await open(at);
    const answer = hold(at.disk);
    const first = spool.append(plain('a'));
    await at.scheduler.advance(2_000);
    const second = spool.append(plain('b'));
    const fates = Promise.all([settled(first), settled(second)]);
    await at.scheduler.advance(5_100);
    const refused = { written: 'refused', durable: 'refused' };
    expect(await fates).toEqual([refused, refused]);
    expect(spool.room()).toBe(false);
    spool.append(plain('lost'));
    answer();
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
    expect(gapsOf(at)).toEqual([{ 'request.completed/public': 1 }]);
    expect((await uids(spool)).filter((uid) => uid.length === 1)).toEqual(['a', 'b']);
  });

  it('is given a moment, for a process that was stopped looks at its clock before it hears from its disk', async () => {
    const at = house();
    const { spool } = await open(at);
    const answer = hold(at.disk);
    const receipt = spool.append(plain('a'));
    await at.scheduler.advance(2_550);
    answer();
    await at.scheduler.advance(1_000);
    expect(await settled(receipt)).toEqual({ written: 'done', durable: 'done' });
    expect(at.notes.map(({ what }) => what)).toEqual(['chain-begun']);
  });
});

describe('work beside the records that fails', () => {
  it('does not end the pump: the reserve that could not be filled again is filled later', async () => {
    const at = house();
    const { spool } = await open(at);
    at.disk.size = at.disk.used + 50;
    spool.append(plain('a'));
    await turns();
    expect(spool.room()).toBe(false);
    at.disk.size = Infinity;
    at.disk.faults.push({ call: 'open', code: 'EROFS', path: /reserve$/ });
    await at.scheduler.advance(250);
    expect(spool.room()).toBe(false);
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
    await spool.append(plain('b')).durable;
    expect((await uids(spool)).filter((uid) => uid.length === 1)).toEqual(['a', 'b']);
  });

  it('does not end the pump: the reserve that could not be given up is given up later', async () => {
    const at = house();
    const { spool } = await open(at);
    at.disk.size = at.disk.used + 50;
    at.disk.faults.push({ call: 'remove', code: 'EROFS', path: /reserve$/ });
    expect(await settled(spool.append(plain('a')))).toEqual({ written: 'refused', durable: 'refused' });
    await at.scheduler.advance(1_000);
    await spool.flush();
    expect(await uids(spool)).toContain('a');
  });

  it('leaves a segment that cannot be deleted in the chain, and deletes it with the next that is committed', async () => {
    const at = house();
    const first = await open(at);
    for (const uid of ['a', 'b', 'c']) {
      await first.spool.append(plain(uid)).durable;
      at.clock.time += 60_000;
    }
    at.disk.faults.push({ call: 'remove', code: 'EROFS', path: /1\.spool$/ });
    await first.spool.committed(first.spool.chain, 2);
    expect(await uids(first.spool)).toEqual(['a', 'b', 'c']);
    expect(at.notes.at(-1)).toMatchObject({ what: 'write-failed', error: expect.stringContaining('EROFS') as unknown });
    await first.spool.committed(first.spool.chain, 2);
    expect(await uids(first.spool)).toEqual(['c']);
    first.kill();
    await open(at);
    expect(at.notes.map(({ what }) => what)).not.toContain('damage');
  });

  it('is told once, and again when it had been done meanwhile', async () => {
    const at = house();
    const { spool } = await open(at);
    for (const uid of ['a', 'b', 'c']) {
      await spool.append(plain(uid)).durable;
      at.clock.time += 60_000;
    }
    const fault = { call: 'remove', code: 'EROFS', path: /\.spool$/, lasting: true } as const;
    const told = () => at.notes.filter(({ what }) => what === 'write-failed').length;
    at.disk.faults.push(fault);
    for (let count = 0; count < 3; count++) await spool.committed(spool.chain, 1);
    expect(told()).toBe(1);
    heal(at.disk);
    await spool.committed(spool.chain, 1);
    at.disk.faults.push(fault);
    await spool.committed(spool.chain, 2);
    expect(told()).toBe(2);
  });
});

describe('chains that ended', () => {
  it('are given up side by side', async () => {
    const at = house();
    for (const round of ['a', 'b']) {
      const { spool, kill } = await open(at);
      for (const uid of [`${round}1`, `${round}2`, `${round}3`]) await spool.append(plain(uid)).durable;
      kill();
      const path = at.disk.paths().find((name) => /^\/spool\/ingress-1\/\w+\.spool$/.test(name))!;
      const bytes = Buffer.from(at.disk.contents(path));
      bytes[bytes.indexOf(`"${round}2"`)] = 0;
      at.disk.put(path, bytes);
      at.clock.time += 1_000;
    }
    const { spool } = await open(at);
    const ended = spool.chains.slice(0, -1);
    expect(ended.length).toBe(2);
    await Promise.all(ended.map(({ chain, segments }) => spool.committed(chain, segments.at(-1)!.lastSeq)));
    expect(spool.chains.map(({ chain }) => chain)).toEqual([spool.chain]);
    expect(at.notes.filter(({ what }) => what === 'write-failed')).toEqual([]);
  });
});
