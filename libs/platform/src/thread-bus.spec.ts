import { MessageChannel } from 'node:worker_threads';
import { subjects, systemClock } from '@sallyport/contracts';
import { ack, type BusLogger } from './bus';
import { describeBus, eventually } from './bus.suite';
import { createEmbeddedBus } from './embedded-bus';
import { borrowBus, lendBus } from './thread-bus';

const quiet: BusLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

function lentBus() {
  const own = createEmbeddedBus(systemClock, quiet);
  const { port1, port2 } = new MessageChannel();
  const lent = lendBus(own, port1);
  return { own, lent, borrowed: borrowBus(port2, quiet) };
}

describeBus('a bus lent to another thread', async () => {
  const { own, lent, borrowed } = lentBus();
  return {
    bus: borrowed,
    peer: borrowed,
    close: async () => {
      await borrowed.drain();
      await lent.close();
      await own.drain();
    },
  };
});

describeBus('the same bus seen from both threads', async () => {
  const { own, lent, borrowed } = lentBus();
  return {
    bus: own,
    peer: borrowed,
    close: async () => {
      await borrowed.drain();
      await lent.close();
      await own.drain();
    },
  };
});

describe('a lent bus', () => {
  it('delivers again what a thread had not decided when it ended', async () => {
    const { own, lent, borrowed } = lentBus();
    const seen: number[] = [];
    await borrowed.consume('SALLYPORT_AUDIT', 'reader', () => new Promise(() => undefined));
    await own.publish(subjects.auditBatch, Uint8Array.from([7]));
    await lent.close();
    await own.consume('SALLYPORT_AUDIT', 'reader', async ({ data }) => {
      seen.push(data[0]!);
      return ack;
    });
    await eventually(() => expect(seen).toEqual([7]));
    // The other end hears of it by a message.
    await eventually(() => expect(borrowed.health().connected).toBe(false));
    await expect(borrowed.publish(subjects.auditBatch, Uint8Array.from([8]))).rejects.toThrow('closed');
    await own.drain();
  });

  it('ends a subscription without waiting for what others have in hand', async () => {
    const { own, lent, borrowed } = lentBus();
    let decide!: () => void;
    const decided = new Promise<void>((resolve) => (decide = resolve));
    const taken: string[] = [];
    await borrowed.consume('SALLYPORT_AUDIT', 'reader', async ({ subject }) => {
      taken.push(subject);
      await decided;
      return ack;
    });
    await own.publish(subjects.auditBatch, Uint8Array.from([7]));
    await eventually(() => expect(taken).toHaveLength(1));
    const listening = await borrowed.subscribe('sallyport.test.*', () => undefined);
    await listening.stop();
    await (await borrowed.subscribe('sallyport.test.*', () => undefined)).stop();
    decide();
    await borrowed.drain();
    await lent.close();
    await own.drain();
  });

  it('knows on both sides when nobody listens to a subject any more', async () => {
    const { own, lent, borrowed } = lentBus();
    const heard = (subject: string) => [own.isHeard(subject), borrowed.isHeard(subject)];
    // Until the other end has said who listens, anybody may.
    expect(heard('sallyport.test.one')).toEqual([false, true]);
    await eventually(() => expect(heard('sallyport.test.one')).toEqual([false, false]));
    const here = await own.subscribe('sallyport.test.*', () => undefined);
    await eventually(() => expect(heard('sallyport.test.one')).toEqual([true, true]));
    expect(heard('sallyport.test.one.two')).toEqual([false, false]);
    await here.stop();
    await eventually(() => expect(heard('sallyport.test.one')).toEqual([false, false]));
    const there = await borrowed.subscribe('sallyport.test.one', () => undefined);
    // Who has subscribed is known to be listening.
    expect(heard('sallyport.test.one')).toEqual([true, true]);
    await there.stop();
    await eventually(() => expect(heard('sallyport.test.one')).toEqual([false, false]));
    await borrowed.drain();
    await lent.close();
    await own.drain();
  });

  it('takes a copy: who publishes may go on writing into the buffer', async () => {
    const { own, lent, borrowed } = lentBus();
    const heard: number[] = [];
    await own.subscribe('sallyport.test.>', ({ data }) => heard.push(...data));
    const pool = Uint8Array.from([0, 1, 2, 3]);
    const published = borrowed.publish('sallyport.test.one', pool.subarray(1, 3));
    pool.fill(9);
    await published;
    await eventually(() => expect(heard).toEqual([1, 2]));
    expect(pool).toHaveLength(4);
    await borrowed.drain();
    await lent.close();
    await own.drain();
  });
});
