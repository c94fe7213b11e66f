import * as fc from 'fast-check';
import { Hosts } from './hosts-under-test';

const lost = ({ notes }: { notes: readonly { what: string }[] }) => notes.filter(({ what }) => what === 'folder-lost');

describe('a process that was frozen while another host took its folder', () => {
  it('goes on in another folder under another chain, says so once, and loses nothing', async () => {
    const hosts = new Hosts();
    const first = await hosts.open();
    first.append('a');
    await hosts.pass(1_000);
    const chain = first.spool.chain;
    first.append('b');
    first.freeze();
    await hosts.pass(21_000);
    const second = await hosts.open();
    expect(second.spool.producer).toBe('ingress-1');
    expect(second.spool.chain).not.toBe(chain);
    second.append('c');
    await hosts.pass(1_000);
    await first.thaw();
    first.append('d');
    await hosts.pass(5_000);
    expect(first.spool.producer).toBe('ingress-2');
    expect(lost(first)).toEqual([{ what: 'folder-lost', chain, again: expect.any(Number) as number }]);
    expect([...hosts.stored].sort()).toEqual(['a', 'b', 'c', 'd']);
    expect(hosts.contradictions).toEqual([]);
  });

  it('says of no record that it is written in the folder that was taken', async () => {
    const hosts = new Hosts();
    const first = await hosts.open();
    await hosts.pass(1_000);
    first.gate.shutWithin(1, false);
    first.append('a');
    await hosts.pass(21_000);
    await hosts.open();
    first.doom();
    await first.thaw();
    await hosts.pass(150_000);
    expect([...hosts.acknowledged]).toEqual(['a']);
    expect(hosts.stored).toEqual(['a']);
  });

  it('notices it also when its clock stood still with it, and writes again what it has written meanwhile', async () => {
    const hosts = new Hosts();
    const first = await hosts.open();
    await hosts.pass(1_000);
    first.freeze(true);
    await hosts.pass(30_000);
    await hosts.open();
    hosts.isBusDown = true;
    await first.thaw();
    first.append('a');
    await hosts.pass(1_000);
    expect([...hosts.acknowledged]).toEqual(['a']);
    await hosts.pass(10_000);
    hosts.isBusDown = false;
    await hosts.pass(10_000);
    expect(lost(first).length).toBe(1);
    expect(hosts.stored).toEqual(['a']);
  });

  it('leaves a chain that is shipped also when the disk is full', async () => {
    const hosts = new Hosts();
    const first = await hosts.open();
    hosts.isBusDown = true;
    for (let count = 0; count < 100; count++) first.append(`r${count}`);
    await hosts.pass(1_000);
    first.freeze();
    await hosts.pass(21_000);
    // What is set aside has no room for a second one of the open segment.
    hosts.disk.put('/spool/ingress-1/reserve', Buffer.alloc(5 * 1024));
    hosts.disk.size = hosts.disk.used + 200;
    hosts.isBusDown = false;
    await hosts.open();
    await hosts.pass(5_000);
    expect(hosts.stored).toEqual([...hosts.acknowledged]);
  });

  it('keeps its folder and its chain when nobody has taken it', async () => {
    const hosts = new Hosts();
    const first = await hosts.open();
    const { chain } = first.spool;
    first.gate.shutWithin(1, true);
    first.append('a');
    await hosts.pass(40_000);
    await first.thaw();
    first.append('b');
    await hosts.pass(2_000);
    expect([first.spool.chain, hosts.stored]).toEqual([chain, ['a', 'b']]);
    await hosts.pass(60_000);
    expect((await hosts.open()).spool.producer).toBe('ingress-2');
    expect(lost(first)).toEqual([]);
  });
});

describe('two owners of one folder', () => {
  const host = fc.nat({ max: 1 });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ what: fc.constant('append' as const), host }) },
    {
      weight: 3,
      arbitrary: fc.record({ what: fc.constant('pass' as const), seconds: fc.constantFrom(0.25, 1, 3, 30, 70) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        what: fc.constant('freeze' as const),
        host,
        calls: fc.integer({ min: 1, max: 40 }),
        after: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('thaw' as const), host }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('doom' as const), host }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('bus' as const) }) },
  );

  it('lose no record that was acknowledged and number no two alike, whenever each of them is frozen', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        const hosts = new Hosts();
        const both = [await hosts.open(), await hosts.open()];
        let count = 0;
        for (const action of steps) {
          if (action.what === 'append') both[action.host]!.append(`r${count++}`);
          else if (action.what === 'pass') await hosts.pass(action.seconds * 1_000);
          else if (action.what === 'freeze') both[action.host]!.gate.shutWithin(action.calls, action.after);
          else if (action.what === 'thaw') await both[action.host]!.thaw();
          else if (action.what === 'doom') both[action.host]!.doom();
          else hosts.isBusDown = !hosts.isBusDown;
        }
        hosts.isBusDown = false;
        for (const one of both) await one.thaw();
        await hosts.open();
        await hosts.pass(300_000);
        expect(hosts.stored).toEqual(expect.arrayContaining([...hosts.acknowledged]));
        expect([hosts.contradictions, hosts.holes]).toEqual([[], []]);
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
