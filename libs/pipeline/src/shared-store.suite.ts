import type { SharedStore } from './shared-store';

export interface StoreHarness {
  readonly store: SharedStore;
  /** The same store as another process sees it; the same object where there is one process only. */
  readonly peer: SharedStore;
  /** Lets time pass. */
  advance(ms: number): void;
  close(): Promise<void>;
}

const bytes = (text: string) => Buffer.from(text);
const MINUTE = 60_000;

/** What every adapter of the store owes the policies. */
export function describeSharedStore(name: string, make: () => Promise<StoreHarness>): void {
  describe(name, () => {
    let harness: StoreHarness;

    beforeEach(async () => {
      harness = await make();
    });
    afterEach(() => harness.close());

    const get = (store: SharedStore, key: string) =>
      new Promise<string | undefined>((resolve) => store.get(key, (found) => resolve(found?.toString())));
    const set = (store: SharedStore, key: string, value: string, ttlMs = MINUTE) =>
      new Promise<boolean>((resolve) => store.set(key, bytes(value), ttlMs, resolve));
    const claim = (store: SharedStore, key: string, value: string, ttlMs = MINUTE) =>
      new Promise<string | undefined>((resolve) =>
        store.claim(key, bytes(value), ttlMs, (before) => resolve(before?.toString())),
      );
    const replace = (store: SharedStore, key: string, before: string, value: string) =>
      new Promise<string>((resolve) => store.replace(key, bytes(before), bytes(value), MINUTE, resolve));
    const remove = (store: SharedStore, key: string, before: string) =>
      new Promise<string>((resolve) => store.remove(key, bytes(before), resolve));

    it('has what was stored, for every process and for its time', async () => {
      expect(await get(harness.store, 'a')).toBeUndefined();
      expect(await set(harness.store, 'a', 'one')).toBe(true);
      expect(await get(harness.peer, 'a')).toBe('one');
      harness.advance(MINUTE);
      expect(await get(harness.peer, 'a')).toBeUndefined();
    });

    it('takes keys and values of any bytes', async () => {
      const key = 'tenant acme\n"ü" '.repeat(20);
      const value = Buffer.from(Array.from({ length: 1024 }, (_, at) => at % 256));
      await new Promise((resolve) => harness.store.set(key, value, MINUTE, resolve));
      const found = await new Promise<unknown>((resolve) => harness.peer.get(key, resolve));
      expect(value.equals(found as Buffer)).toBe(true);
    });

    it('lets one of many claim a key, and tells the others what is there', async () => {
      const claims = await Promise.all(
        Array.from({ length: 10 }, (_, at) => claim(at % 2 === 0 ? harness.store : harness.peer, 'k', String(at))),
      );
      const winners = claims.flatMap((before, at) => (before === undefined ? [String(at)] : []));
      expect(winners).toHaveLength(1);
      expect(new Set(claims.filter((before) => before !== undefined))).toEqual(new Set(winners));
    });

    it('lets a claim be claimed again when its time is over, by one', async () => {
      await claim(harness.store, 'k', 'first', 1000);
      expect(await claim(harness.peer, 'k', 'second', 1000)).toBe('first');
      harness.advance(1000);
      const again = await Promise.all([claim(harness.store, 'k', 'x'), claim(harness.peer, 'k', 'y')]);
      expect(again.filter((before) => before === undefined)).toHaveLength(1);
    });

    it('replaces what somebody read, and nothing else', async () => {
      await claim(harness.store, 'k', 'one');
      expect(await replace(harness.peer, 'k', 'none', 'x')).toBe('changed');
      const both = await Promise.all([
        replace(harness.store, 'k', 'one', 'two'),
        replace(harness.peer, 'k', 'one', 'three'),
      ]);
      expect(both.toSorted()).toEqual(['changed', 'replaced']);
      expect(await get(harness.store, 'k')).toBe(both[0] === 'replaced' ? 'two' : 'three');
      expect(await replace(harness.store, 'missing', 'one', 'two')).toBe('changed');
    });

    it('forgets what somebody read, and nothing else', async () => {
      await claim(harness.store, 'k', 'one');
      expect(await remove(harness.peer, 'k', 'none')).toBe('changed');
      expect(await replace(harness.store, 'k', 'one', 'two')).toBe('replaced');
      expect(await remove(harness.peer, 'k', 'one')).toBe('changed');
      expect(await get(harness.store, 'k')).toBe('two');
      expect(await remove(harness.peer, 'k', 'two')).toBe('removed');
      expect(await remove(harness.store, 'k', 'two')).toBe('changed');
      expect(await get(harness.store, 'k')).toBeUndefined();
      expect(await claim(harness.peer, 'k', 'three')).toBeUndefined();
      expect(await get(harness.store, 'k')).toBe('three');
    });

    it('lets one of several forget or replace the same value', async () => {
      await claim(harness.store, 'k', 'one');
      const both = await Promise.all([remove(harness.store, 'k', 'one'), replace(harness.peer, 'k', 'one', 'two')]);
      expect(both.filter((outcome) => outcome === 'changed')).toHaveLength(1);
      expect(await get(harness.store, 'k')).toBe(both[1] === 'replaced' ? 'two' : undefined);
    });
  });
}
