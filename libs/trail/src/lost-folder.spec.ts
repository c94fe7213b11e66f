import { turns } from '@sallyport/testkit';
import { Hosts } from './hosts-under-test';
import { control, house, large, open, plain, settled, uids, type House } from './spool-under-test';

const lost = ({ notes }: House) => notes.filter(({ what }) => what === 'folder-lost');
/** Two signs of life, each of which looks whether the folder is still there. */
const passBeats = async (at: House) => {
  for (let beat = 0; beat < 2; beat++) {
    at.clock.time += 5_000;
    at.disk.now = at.clock.time;
    await at.scheduler.advance(5_000);
  }
};

describe('a folder that is deleted under a running process', () => {
  it('is made again, with what is at hand of the records in it, under a new chain', async () => {
    const at = house();
    const { spool } = await open(at);
    const { chain } = spool;
    for (const uid of ['a', 'b']) await spool.append(plain(uid)).durable;
    await spool.committed(chain, 1);
    at.disk.deleteTree('/spool/ingress-1');
    await passBeats(at);
    expect(spool.chain).not.toBe(chain);
    expect(spool.room()).toBe(true);
    await spool.append(plain('c')).durable;
    expect(await uids(spool)).toEqual(['b', 'c']);
    expect(lost(at)).toEqual([{ what: 'folder-lost', chain, again: 1 }]);
  });

  it('is noticed by the first record that needs a new segment, which then finds its place all the same', async () => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(plain('a')).durable;
    at.disk.deleteTree('/spool');
    at.clock.time += 60_000;
    const receipt = spool.append(plain('b'));
    expect(await settled(receipt)).toEqual({ written: 'done', durable: 'done' });
    expect((await uids(spool)).length).toBe(2);
    expect(lost(at).length).toBe(1);
  });

  it('heals once it can be made again, and keeps what was taken until then', async () => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(plain('a')).durable;
    await spool.committed(spool.chain, 1);
    at.disk.deleteTree('/spool/ingress-1');
    at.disk.faults.push({ call: 'open', code: 'EROFS', lasting: true });
    await spool.append(plain('b')).written;
    await passBeats(at);
    expect(spool.room()).toBe(false);
    spool.append(plain('refused'));
    await at.scheduler.advance(1_000);
    at.disk.faults.length = 0;
    await at.scheduler.advance(1_000);
    expect(spool.room()).toBe(true);
    await spool.append(plain('c')).durable;
    expect((await uids(spool)).filter((uid) => uid.length === 1)).toEqual(['b', 'c']);
    expect(lost(at).length).toBe(1);
  });

  it('takes a gap along that has not been stated', async () => {
    const at = house();
    const { spool } = await open(at, { maxBytes: 400 * 1024 });
    for (let count = 0; count < 15; count++) await spool.append(large(`r${count}`, 10 * 1024)).durable;
    for (let count = 0; count < 5; count++) spool.append(plain(`lost${count}`));
    await spool.committed(spool.chain, 15);
    at.disk.deleteTree('/spool/ingress-1');
    await passBeats(at);
    await at.scheduler.advance(1_000);
    const gaps = at.notes.flatMap((note) => (note.what === 'gap' ? [note.gap.counts] : []));
    expect(gaps).toEqual([{ 'request.completed/public': 5 }]);
  });

  it('finds control records by uid in the new chain', async () => {
    const at = house();
    const { spool } = await open(at);
    await spool.append(control('change')).durable;
    at.disk.deleteTree('/spool/ingress-1');
    const next = spool.append(control('next'));
    await passBeats(at);
    await next.durable;
    expect([spool.has('change'), spool.has('next')]).toEqual([true, true]);
    await spool.close();
    await turns();
    expect(at.disk.paths().filter((path) => path.includes('owner'))).toEqual([]);
  });
});

describe('a folder that is lost', () => {
  it('is claimed again where only the owner file is gone, and all in it is shipped', async () => {
    const hosts = new Hosts();
    const host = await hosts.open();
    const { chain } = host.spool;
    host.append('a');
    await hosts.pass(1_000);
    hosts.isBusDown = true;
    host.append('b');
    await hosts.pass(1_000);
    await hosts.disk.remove('/spool/ingress-1/owner.1');
    await hosts.pass(10_000);
    hosts.isBusDown = false;
    host.append('c');
    await hosts.pass(20_000);
    expect([host.spool.producer, host.spool.chain]).toEqual(['ingress-1', chain]);
    expect(hosts.stored).toEqual(['a', 'b', 'c']);
    expect([hosts.contradictions, hosts.holes]).toEqual([[], []]);
  });

  it('keeps the chains that ended in it for its next owner, whatever is committed meanwhile', async () => {
    const at = house();
    const first = await open(at);
    for (const uid of ['a', 'b', 'c']) await first.spool.append(plain(uid)).durable;
    first.kill();
    const path = '/spool/ingress-1/0000000000000001.spool';
    const bytes = Buffer.from(at.disk.contents(path));
    bytes[bytes.indexOf('"b"')] = 0;
    at.disk.put(path, bytes);
    const { spool } = await open(at);
    const ended = spool.chains[0]!;
    const file = `${ended.directory}/chain`;
    at.disk.put('/spool/ingress-1/owner.9', Buffer.from('{}'));
    at.disk.faults.push({ call: 'open', code: 'EROFS', lasting: true });
    await passBeats(at);
    await spool.committed(ended.chain, 0);
    expect(at.disk.paths()).toContain(file);
  });
});
