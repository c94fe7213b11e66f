import { messageHeaders, subjects } from '@sallyport/contracts';
import {
  ack,
  BusUnavailable,
  dead,
  KvConflict,
  MAX_MESSAGE_BYTES,
  retry,
  TooLargeForBus,
  type Bus,
  type BusMessage,
  type KvEntry,
} from './bus';

/** A fresh, empty bus, seen through two connections; in one process both may be the same. */
export interface BusHarness {
  readonly bus: Bus;
  readonly peer: Bus;
  close(): Promise<void>;
}

const kept = subjects.auditBatch;
const stream = 'SALLYPORT_AUDIT';
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

/** Waits until the claim holds; fails with its last state after five seconds. */
export async function eventually(claim: () => unknown, limitMs = 5_000): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      await claim();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** A promise with its resolver, for handlers that are to hang until told. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** What every adapter of the bus owes its users. */
export function describeBus(name: string, make: () => Promise<BusHarness>): void {
  describe(name, () => {
    let harness: BusHarness;
    let bus: Bus;
    let peer: Bus;

    beforeEach(async () => {
      harness = await make();
      ({ bus, peer } = harness);
    });
    afterEach(() => harness.close());

    const publishAll = async (...texts: string[]) => {
      for (const one of texts) await bus.publish(kept, bytes(one));
    };

    describe('listening', () => {
      it.each([
        ['sallyport.audit.key.created.v1.acme', true],
        ['sallyport.audit.*.*.v1.*', true],
        ['sallyport.>', true],
        ['sallyport.audit.key.created.v1.*', true],
        ['sallyport.audit.key.created.v1', false],
        ['sallyport.audit.key.created.v1.acme.>', false],
        ['sallyport.*.created.v1.acme', false],
      ])('%s takes the event: %s', async (pattern, takes) => {
        const heard: string[] = [];
        await peer.subscribe(pattern, (message) => heard.push(message.subject));
        await peer.subscribe('sallyport.>', (message) => heard.push(`all ${message.subject}`));
        await bus.publish('sallyport.audit.key.created.v1.acme', bytes('x'));
        await eventually(() => expect(heard).toContain('all sallyport.audit.key.created.v1.acme'));
        expect(heard).toHaveLength(takes ? 2 : 1);
      });

      it('hands over data and headers, and nothing after stop', async () => {
        const heard: BusMessage[] = [];
        const subscription = await peer.subscribe('sallyport.test.>', (message) => heard.push(message));
        await bus.publish('sallyport.test.one', bytes('1'), { headers: { traceparent: '00-ab-cd-01' } });
        await eventually(() => expect(heard).toHaveLength(1));
        expect(text(heard[0]!.data)).toBe('1');
        expect(heard[0]!.headers['traceparent']).toBe('00-ab-cd-01');
        await subscription.stop();
        const later: string[] = [];
        await peer.subscribe('sallyport.test.>', (message) => later.push(text(message.data)));
        await bus.publish('sallyport.test.two', bytes('2'));
        await eventually(() => expect(later).toEqual(['2']));
        expect(heard).toHaveLength(1);
      });

      describe('announcing', () => {
        const [one, two] = ['sallyport.test.one', 'sallyport.test.two'];
        const items = ['one 1', 'two 1', 'one 2', 'two 2', 'two 3', 'one 3'];
        const subjectOf = (item: string) => `sallyport.test.${item.split(' ')[0]}`;
        let made: string[];
        const announce = (some: readonly string[] = items) => {
          made = [];
          return bus.announce(some, subjectOf, (item) => {
            made.push(item);
            return bytes(item);
          });
        };
        const listen = async (pattern: string) => {
          const heard: string[] = [];
          const { stop } = await peer.subscribe(pattern, ({ data }) => heard.push(text(data)));
          return { heard, stop };
        };
        const madeOf = (subject: string) => made.filter((item) => subjectOf(item) === subject);

        it('reaches whoever listens, in order, and makes no more than one that nobody would get', async () => {
          const { heard } = await listen(one);
          await announce();
          await eventually(() => expect(heard).toEqual(['one 1', 'one 2', 'one 3']));
          expect(madeOf(two).length).toBeLessThanOrEqual(1);
          const all = await listen('sallyport.test.*');
          await announce();
          await eventually(() => expect(all.heard).toEqual(items));
        });

        it('makes nothing more for somebody who listens no more', async () => {
          const [first, second] = [await listen('sallyport.test.*'), await listen(one)];
          await first.stop();
          // What was told last is what a bus on two connections may learn last.
          await eventually(async () => {
            await announce();
            expect(madeOf(two).length).toBeLessThanOrEqual(1);
          });
          await second.stop();
          await eventually(async () => {
            await announce();
            expect(madeOf(one).length).toBeLessThanOrEqual(1);
          });
        });

        it('tries every item, and then says what was wrong with one', async () => {
          const { heard } = await listen('sallyport.test.>');
          await expect(announce(['one 1', '* 1', 'one 2'])).rejects.toThrow('is not a subject');
          await eventually(() => expect(heard).toEqual(['one 1', 'one 2']));
        });

        it('has nothing to do for nothing', async () => {
          await announce([]);
          expect(made).toEqual([]);
        });
      });

      it('goes on after a handler that throws', async () => {
        const heard: string[] = [];
        await peer.subscribe('sallyport.test.>', (message) => {
          heard.push(text(message.data));
          if (heard.length === 1) throw new Error('a bug of the handler');
        });
        await bus.publish('sallyport.test.one', bytes('1'));
        await bus.publish('sallyport.test.one', bytes('2'));
        await eventually(() => expect(heard).toEqual(['1', '2']));
      });

      it('refuses what is no subject', async () => {
        await expect(bus.publish('sallyport.test.*', bytes('x'))).rejects.toThrow('is not a subject');
        await expect(bus.publish('sallyport..test', bytes('x'))).rejects.toThrow('is not a subject');
        await expect(bus.publish('sallyport test', bytes('x'))).rejects.toThrow('is not a subject');
        await expect(bus.subscribe('sallyport.>.test', () => undefined)).rejects.toThrow('is not a subject');
      });
    });

    describe('consuming', () => {
      it('delivers what was published before the durable was made, in order', async () => {
        await publishAll('1', '2', '3');
        const got: string[] = [];
        await peer.consume(stream, 'reader', async (message) => {
          got.push(text(message.data));
          return ack;
        });
        await publishAll('4', '5');
        await eventually(() => expect(got).toEqual(['1', '2', '3', '4', '5']));
      });

      it('goes on where the durable stopped', async () => {
        const got: string[] = [];
        const read = async (message: BusMessage) => {
          got.push(text(message.data));
          return ack;
        };
        const first = await bus.consume(stream, 'reader', read);
        await publishAll('1');
        await eventually(() => expect(got).toEqual(['1']));
        await first.stop();
        await publishAll('2');
        await peer.consume(stream, 'reader', read);
        await eventually(() => expect(got).toEqual(['1', '2']));
      });

      it('delivers again when no verdict comes within the ack wait', async () => {
        const deliveries: number[] = [];
        const hanging = gate();
        await bus.consume(
          stream,
          'reader',
          async (message) => {
            deliveries.push(message.deliveries);
            if (message.deliveries === 1) await hanging.opened;
            return ack;
          },
          { ackWaitMs: 200 },
        );
        await publishAll('1');
        await eventually(() => expect(deliveries).toEqual([1, 2]));
        hanging.open();
      });

      it('takes one message of an id', async () => {
        const got: string[] = [];
        await bus.publish(kept, bytes('first'), { id: 'same' });
        await peer.publish(kept, bytes('again'), { id: 'same' });
        await bus.publish(kept, bytes('other'), { id: 'another' });
        await bus.consume(stream, 'reader', async (message) => {
          got.push(text(message.data));
          return ack;
        });
        await eventually(() => expect(got).toEqual(['first', 'other']));
      });

      it('keeps the order of a subject for a consumer that takes one at a time', async () => {
        const sent = Array.from({ length: 50 }, (_, index) => String(index));
        await publishAll(...sent);
        const got: string[] = [];
        await bus.consume(
          stream,
          'reader',
          async (message) => {
            await new Promise((resolve) => setImmediate(resolve));
            got.push(text(message.data));
            return ack;
          },
          { maxUnacknowledged: 1 },
        );
        await eventually(() => expect(got).toEqual(sent));
      });

      it('shares one durable between two consumers: each message goes to one, both work', async () => {
        const got: Record<'one' | 'two', string[]> = { one: [], two: [] };
        const reader = (mine: string[]) => async (message: BusMessage) => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          mine.push(text(message.data));
          return ack;
        };
        await bus.consume(stream, 'reader', reader(got.one), { maxUnacknowledged: 4 });
        await peer.consume(stream, 'reader', reader(got.two), { maxUnacknowledged: 4 });
        const sent = Array.from({ length: 60 }, (_, index) => String(index));
        await publishAll(...sent);
        await eventually(() => expect([...got.one, ...got.two]).toHaveLength(60));
        expect([...got.one, ...got.two].sort()).toEqual([...sent].sort());
        expect(got.one.length).toBeGreaterThan(0);
        expect(got.two.length).toBeGreaterThan(0);
      });

      it('gives each of two durables every message', async () => {
        const got: Record<'one' | 'two', string[]> = { one: [], two: [] };
        for (const durable of ['one', 'two'] as const) {
          await bus.consume(stream, durable, async (message) => {
            got[durable].push(text(message.data));
            return ack;
          });
        }
        await publishAll('1', '2');
        await eventually(() => expect(got).toEqual({ one: ['1', '2'], two: ['1', '2'] }));
      });

      it('has no more than the allowed messages without a verdict', async () => {
        const hanging = gate();
        let running = 0;
        let most = 0;
        let done = 0;
        await bus.consume(
          stream,
          'reader',
          async () => {
            most = Math.max(most, ++running);
            await hanging.opened;
            running--;
            done++;
            return ack;
          },
          { maxUnacknowledged: 3 },
        );
        await publishAll(...Array.from({ length: 10 }, String));
        await eventually(() => expect(running).toBe(3));
        hanging.open();
        await eventually(() => expect(done).toBe(10));
        expect(most).toBe(3);
      });

      it('delivers again after the delay a retry asks for, not before', async () => {
        const at: number[] = [];
        await bus.consume(stream, 'reader', async (message) => {
          at.push(performance.now());
          return message.deliveries === 1 ? retry(300) : ack;
        });
        await publishAll('1');
        await eventually(() => expect(at).toHaveLength(2));
        expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(290);
      });

      it('delivers again what a handler threw on', async () => {
        const deliveries: number[] = [];
        await bus.consume(stream, 'reader', async (message) => {
          deliveries.push(message.deliveries);
          if (message.deliveries === 1) throw new Error('a bug of the handler');
          return ack;
        });
        await publishAll('1');
        await eventually(() => expect(deliveries).toEqual([1, 2]));
      });

      it('keeps a dead message with its reason, and goes on with the next', async () => {
        const got: string[] = [];
        const letters: BusMessage[] = [];
        await bus.consume(stream, 'reader', async (message) => {
          got.push(text(message.data));
          return text(message.data) === 'poison' ? dead('not a batch:\nunexpected end') : ack;
        });
        await publishAll('poison', 'good');
        await peer.consume('SALLYPORT_DEAD', 'undertaker', async (message) => {
          letters.push(message);
          return ack;
        });
        await eventually(() => expect(letters).toHaveLength(1));
        expect(letters[0]!.subject).toBe(subjects.messageDied('reader'));
        expect(text(letters[0]!.data)).toBe('poison');
        expect(letters[0]!.headers).toMatchObject({
          [messageHeaders.reason]: 'not a batch: unexpected end',
          [messageHeaders.subject]: kept,
          [messageHeaders.deliveries]: '1',
        });
        await eventually(() => expect(got).toEqual(['poison', 'good']));
      });

      it('buries a message after the deliveries it is allowed', async () => {
        const letters: BusMessage[] = [];
        let deliveries = 0;
        await bus.consume(
          stream,
          'reader',
          async () => {
            deliveries++;
            return retry(10);
          },
          { maxDeliveries: 3 },
        );
        await publishAll('1');
        await peer.consume('SALLYPORT_DEAD', 'undertaker', async (message) => {
          letters.push(message);
          return ack;
        });
        await eventually(() => expect(letters).toHaveLength(1));
        expect(deliveries).toBe(3);
        expect(letters[0]!.headers[messageHeaders.reason]).toContain('3 deliveries');
      });

      it('a slow consumer holds up neither the publisher nor another durable, and misses nothing', async () => {
        const slow: string[] = [];
        const quick: string[] = [];
        const hanging = gate();
        const limits = { maxUnacknowledged: 1 };
        await bus.consume(
          stream,
          'slow',
          async (message) => {
            await hanging.opened;
            slow.push(text(message.data));
            return ack;
          },
          limits,
        );
        await peer.consume(stream, 'quick', async (message) => {
          quick.push(text(message.data));
          return ack;
        });
        const sent = Array.from({ length: 200 }, (_, index) => String(index));
        await publishAll(...sent);
        await eventually(() => expect(quick).toHaveLength(200));
        expect(slow).toEqual([]);
        hanging.open();
        await eventually(() => expect(slow).toEqual(sent));
      });

      it('stop waits for the verdict of what was delivered', async () => {
        const hanging = gate();
        let started = false;
        let finished = false;
        const consumer = await bus.consume(stream, 'reader', async () => {
          started = true;
          await hanging.opened;
          finished = true;
          return ack;
        });
        await publishAll('1');
        await eventually(() => expect(started).toBe(true));
        const stopped = consumer.stop();
        hanging.open();
        await stopped;
        expect(finished).toBe(true);
      });

      it('drain finishes what is in hand, and the bus refuses from then on', async () => {
        let finished = 0;
        let started = 0;
        await bus.consume(stream, 'reader', async () => {
          started++;
          await new Promise((resolve) => setTimeout(resolve, 50));
          finished++;
          return ack;
        });
        await publishAll('1', '2');
        await eventually(() => expect(started).toBe(2));
        await bus.drain();
        expect(finished).toBe(2);
        expect(bus.health().connected).toBe(false);
        await expect(bus.publish(kept, bytes('3'))).rejects.toThrow(BusUnavailable);
      });
    });

    describe('the limit', () => {
      const fitting = new Uint8Array(MAX_MESSAGE_BYTES - 512);
      const tooLarge = new Uint8Array(MAX_MESSAGE_BYTES + 1);

      it('takes a message just under 1 MiB and refuses one above by size and subject', async () => {
        await bus.publish(kept, fitting, { id: 'large' });
        const refused = bus.publish(kept, tooLarge);
        await expect(refused).rejects.toBeInstanceOf(TooLargeForBus);
        await expect(refused).rejects.toThrow(`${MAX_MESSAGE_BYTES + 1} bytes on ${kept} exceed the bus limit`);
      });

      it('counts the headers', async () => {
        const full = new Uint8Array(MAX_MESSAGE_BYTES);
        await bus.publish('sallyport.test.one', full);
        await expect(bus.publish('sallyport.test.one', full, { headers: { a: 'b' } })).rejects.toBeInstanceOf(
          TooLargeForBus,
        );
      });

      it('holds for values of a bucket', async () => {
        const kv = await bus.kv('sallyport_test');
        await kv.put('large', fitting);
        await expect(kv.put('large', tooLarge)).rejects.toBeInstanceOf(TooLargeForBus);
        expect((await kv.get('large'))!.value).toHaveLength(fitting.length);
      });

      it('keeps even a dead message that leaves no room for its reason', async () => {
        const full = new Uint8Array(MAX_MESSAGE_BYTES);
        const letters: BusMessage[] = [];
        await bus.consume(stream, 'reader', async () => dead('useless'));
        await bus.publish(kept, full);
        await bus.consume('SALLYPORT_DEAD', 'undertaker', async (message) => {
          letters.push(message);
          return ack;
        });
        await eventually(() => expect(letters).toHaveLength(1));
        expect(letters[0]!.headers[messageHeaders.reason]).toBe('useless');
      });
    });

    describe('a bucket', () => {
      it('gives back what was put, with a rising revision', async () => {
        const kv = await bus.kv('sallyport_test');
        expect(await kv.get('a.b')).toBeUndefined();
        const first = await kv.put('a.b', bytes('1'));
        const second = await kv.put('a.b', bytes('2'));
        expect(second).toBeGreaterThan(first);
        const entry = (await (await peer.kv('sallyport_test')).get('a.b'))!;
        expect({ ...entry, value: text(entry.value) }).toEqual({
          key: 'a.b',
          value: '2',
          revision: second,
          operation: 'put',
        });
      });

      it('keeps buckets apart', async () => {
        await (await bus.kv('sallyport_test')).put('a', bytes('1'));
        expect(await (await bus.kv('sallyport_other')).get('a')).toBeUndefined();
      });

      it('sets by comparison: of two writers with one revision the second is refused', async () => {
        const kv = await bus.kv('sallyport_test');
        const other = await peer.kv('sallyport_test');
        const revision = await kv.put('head', bytes('1'));
        const next = await kv.update('head', bytes('2'), revision);
        await expect(other.update('head', bytes('3'), revision)).rejects.toBeInstanceOf(KvConflict);
        await other.update('head', bytes('3'), next);
        expect(text((await kv.get('head'))!.value)).toBe('3');
      });

      it('creates a key once, and again after it was deleted or purged', async () => {
        const kv = await bus.kv('sallyport_test');
        await kv.create('head', bytes('1'));
        await expect(kv.create('head', bytes('2'))).rejects.toBeInstanceOf(KvConflict);
        await kv.delete('head');
        await kv.create('head', bytes('3'));
        await kv.purge('head');
        await kv.create('head', bytes('4'));
        expect(text((await kv.get('head'))!.value)).toBe('4');
      });

      it('forgets a deleted and a purged key', async () => {
        const kv = await bus.kv('sallyport_test');
        for (const key of ['a', 'b', 'c']) await kv.put(key, bytes(key));
        await kv.delete('a');
        await kv.purge('b');
        expect(await kv.get('a')).toBeUndefined();
        expect(await kv.get('b')).toBeUndefined();
        expect(await kv.keys()).toEqual(['c']);
        await kv.purge('b');
      });

      it('refuses what is no key', async () => {
        const kv = await bus.kv('sallyport_test');
        for (const key of ['', '.a', 'a.', 'a..b', 'a*', '>', 'a b', 'ä']) {
          await expect(kv.put(key, bytes('x'))).rejects.toThrow('is not a key');
        }
      });
    });

    describe('watching', () => {
      const told = (entry: KvEntry) =>
        entry.operation === 'put' ? `${entry.key}=${text(entry.value)}` : `${entry.key} gone`;

      it('tells the present entries, then says so, then every change in order', async () => {
        const kv = await bus.kv('sallyport_test');
        await kv.put('a', bytes('1'));
        await kv.put('b', bytes('1'));
        await kv.put('gone', bytes('1'));
        await kv.delete('gone');
        const events: string[] = [];
        await (
          await peer.kv('sallyport_test')
        ).watch(
          (entry) => events.push(told(entry)),
          () => events.push('current'),
        );
        await eventually(() => expect(events).toEqual(['a=1', 'b=1', 'current']));
        await kv.put('a', bytes('2'));
        await kv.delete('b');
        await kv.put('c', bytes('1'));
        await eventually(() => expect(events.slice(3)).toEqual(['a=2', 'b gone', 'c=1']));
      });

      it('is current at once on an empty bucket', async () => {
        const events: string[] = [];
        const kv = await bus.kv('sallyport_test');
        await kv.watch(
          (entry) => events.push(told(entry)),
          () => events.push('current'),
        );
        await eventually(() => expect(events).toEqual(['current']));
        await kv.put('a', bytes('1'));
        await eventually(() => expect(events).toEqual(['current', 'a=1']));
      });

      it('has no gap while another writes', async () => {
        const kv = await bus.kv('sallyport_test');
        const writing = (async () => {
          for (let index = 0; index < 100; index++) await kv.put(`k${index}`, bytes(String(index)));
        })();
        const seen = new Map<string, number>();
        const revisions: number[] = [];
        await (
          await peer.kv('sallyport_test')
        ).watch((entry) => {
          seen.set(entry.key, entry.revision);
          revisions.push(entry.revision);
        });
        await writing;
        await eventually(() => expect(seen.size).toBe(100));
        expect(revisions).toEqual([...revisions].sort((one, other) => one - other));
        expect(new Set(revisions).size).toBe(revisions.length);
      });

      it('of one key tells that key alone', async () => {
        const kv = await bus.kv('sallyport_test');
        await kv.put('head', bytes('1'));
        await kv.put('chunk', bytes('x'));
        const events: string[] = [];
        await kv.watch(
          (entry) => events.push(told(entry)),
          () => events.push('current'),
          'head',
        );
        await kv.put('chunk', bytes('y'));
        await kv.put('head', bytes('2'));
        await eventually(() => expect(events).toEqual(['head=1', 'current', 'head=2']));
      });

      it('says current for a key that is missing', async () => {
        const kv = await bus.kv('sallyport_test');
        await kv.put('chunk', bytes('x'));
        const events: string[] = [];
        await kv.watch(
          (entry) => events.push(told(entry)),
          () => events.push('current'),
          'head',
        );
        await eventually(() => expect(events).toEqual(['current']));
      });

      it('tells nothing after stop', async () => {
        const kv = await bus.kv('sallyport_test');
        const stopped: string[] = [];
        const going: string[] = [];
        const first = await kv.watch((entry) => stopped.push(told(entry)));
        await kv.watch((entry) => going.push(told(entry)));
        await kv.put('a', bytes('1'));
        await eventually(() => expect([stopped, going]).toEqual([['a=1'], ['a=1']]));
        await first.stop();
        await kv.put('a', bytes('2'));
        await eventually(() => expect(going).toEqual(['a=1', 'a=2']));
        expect(stopped).toEqual(['a=1']);
      });
    });
  });
}
