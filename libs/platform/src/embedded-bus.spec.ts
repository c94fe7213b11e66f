import { subjects, type Clock } from '@sallyport/contracts';
import { ack, dead, StreamFull, type BusLogger } from './bus';
import { describeBus, eventually } from './bus.suite';
import { createEmbeddedBus } from './embedded-bus';

const quiet: BusLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };
const realClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

describeBus('the embedded bus', async () => {
  const bus = createEmbeddedBus(realClock, quiet);
  return { bus, peer: bus, close: () => bus.drain() };
});

describe('the embedded bus by itself', () => {
  const start = Date.parse('2026-01-01T00:00:00Z');
  let now = start;
  const clock: Clock = { now: () => now, monotonic: () => now };
  const one = new Uint8Array([1]);

  beforeEach(() => (now = start));

  async function countOf(bus: ReturnType<typeof createEmbeddedBus>, durable: string): Promise<number> {
    let count = 0;
    const consumer = await bus.consume('SALLYPORT_AUDIT', durable, async () => {
      count++;
      return ack;
    });
    let before = -1;
    await eventually(() => {
      const settled = before === count;
      before = count;
      expect(settled).toBe(true);
    });
    await consumer.stop();
    return count;
  }

  it('takes an id again when the duplicate window is over', async () => {
    const bus = createEmbeddedBus(clock, quiet);
    await bus.publish(subjects.auditBatch, one, { id: 'same' });
    now += 119_999;
    await bus.publish(subjects.auditBatch, one, { id: 'same' });
    now += 1;
    await bus.publish(subjects.auditBatch, one, { id: 'same' });
    expect(await countOf(bus, 'reader')).toBe(2);
    await bus.drain();
  });

  it('lets go of what is older than the stream keeps', async () => {
    const bus = createEmbeddedBus(clock, quiet);
    await bus.publish(subjects.auditBatch, one);
    now += 73 * 3_600_000;
    await bus.publish(subjects.auditBatch, one);
    expect(await countOf(bus, 'reader')).toBe(1);
    await bus.drain();
  });

  it('refuses, rather than grows, when its consumers are behind, and takes again when they catch up', async () => {
    const bus = createEmbeddedBus(clock, quiet);
    const half = new Uint8Array(512 * 1024);
    const fill = async () => {
      for (let sent = 0; sent < 200; sent++) await bus.publish(subjects.auditBatch, half);
    };
    await expect(fill()).rejects.toBeInstanceOf(StreamFull);
    expect(await countOf(bus, 'reader')).toBe(128);
    await bus.publish(subjects.auditBatch, half);
    await bus.drain();
  });

  it('drops the oldest dead letter for a new one', async () => {
    const bus = createEmbeddedBus(clock, quiet);
    const half = new Uint8Array(512 * 1024);
    for (let sent = 0; sent < 200; sent++) await bus.publish(subjects.messageDied('reader'), half);
    let letters = 0;
    await bus.consume('SALLYPORT_DEAD', 'undertaker', async () => {
      letters++;
      return ack;
    });
    await eventually(() => expect(letters).toBe(128));
    await bus.drain();
  });

  it('hands out bytes that stay as they are when it has let the message go and uses its memory for others', async () => {
    const bus = createEmbeddedBus(clock, quiet);
    const half = 512 * 1024;
    const heard: Uint8Array[] = [];
    await bus.consume('SALLYPORT_AUDIT', 'reader', async ({ data }) => {
      heard.push(data);
      return ack;
    });
    for (let sent = 1; sent <= 40; sent++) {
      await bus.publish(subjects.auditBatch, new Uint8Array(half).fill(sent));
      await eventually(() => expect(heard).toHaveLength(sent));
    }
    expect(heard.map((data) => [data.length, data[0], data.at(-1)])).toEqual(
      heard.map((_, at) => [half, at + 1, at + 1]),
    );
    await bus.drain();
  });

  it('buries a message that nobody could handle as it was published', async () => {
    const bus = createEmbeddedBus(clock, quiet);
    const letters: string[] = [];
    await bus.consume('SALLYPORT_AUDIT', 'reader', async ({ data }) => {
      data.fill(0);
      return dead('it is not a batch');
    });
    await bus.consume('SALLYPORT_DEAD', 'undertaker', async ({ data }) => {
      letters.push(Buffer.from(data).toString());
      return ack;
    });
    await bus.publish(subjects.auditBatch, Buffer.from('as it came'));
    await eventually(() => expect(letters).toEqual(['as it came']));
    await bus.drain();
  });

  it('is not changed by a publisher that writes into its buffer afterwards', async () => {
    const bus = createEmbeddedBus(clock, quiet);
    const kv = await bus.kv('sallyport_test');
    const buffer = new Uint8Array([1]);
    await kv.put('a', buffer);
    buffer[0] = 2;
    expect((await kv.get('a'))!.value).toEqual(new Uint8Array([1]));
    await bus.drain();
  });
});
