import { subjects, systemClock } from '@sallyport/contracts';
import { ack, BusUnavailable, type Bus } from './bus';
import { eventually } from './bus.suite';
import { createEmbeddedBus } from './embedded-bus';
import { LateBus } from './late-bus';

const logger = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (data: Uint8Array): string => new TextDecoder().decode(data);
const subject = subjects.clockTold;

describe('a bus that is joined late', () => {
  let real: Bus;
  let late: LateBus;
  let arrive: () => void;
  let fail: (error: Error) => void;

  beforeEach(() => {
    jest.clearAllMocks();
    real = createEmbeddedBus(systemClock, logger);
    late = new LateBus(
      () =>
        new Promise((resolve, reject) => {
          arrive = () => resolve(real);
          fail = reject;
        }),
      logger,
    );
  });
  afterEach(async () => {
    await late.drain();
    await real.drain();
  });

  const joined = async (): Promise<void> => {
    arrive();
    await eventually(() => expect(late.health().connected).toBe(true));
  };

  it('has no connection until it is reached, and says so to whoever needs one', async () => {
    const kv = await late.kv('sallyport_snapshots');
    expect(late.health()).toEqual({ connected: false, detail: 'not reached yet' });
    await expect(late.publish(subject, bytes('x'))).rejects.toBeInstanceOf(BusUnavailable);
    const announced = late.announce(
      [bytes('x')],
      () => subject,
      (item) => item,
    );
    await expect(announced).rejects.toBeInstanceOf(BusUnavailable);
    await expect(kv.get('head')).rejects.toBeInstanceOf(BusUnavailable);
    await joined();
    await late.publish(subject, bytes('x'));
    expect(await kv.put('head', bytes('1'))).toBe(1);
    expect((await (await real.kv('sallyport_snapshots')).get('head'))?.revision).toBe(1);
  });

  it('begins what was listened to, watched and consumed before, as soon as it is there', async () => {
    const heard: string[] = [];
    const note = (what: string) => (data: Uint8Array) => void heard.push(`${what} ${textOf(data)}`);
    await late.subscribe(subject, ({ data }) => note('told')(data));
    const kv = await late.kv('sallyport_snapshots');
    await kv.watch(
      ({ value }) => note('head')(value),
      () => heard.push('current'),
      'head',
    );
    await late.consume('SALLYPORT_AUDIT', 'late', async ({ data }) => {
      note('record')(data);
      return ack;
    });
    await (await real.kv('sallyport_snapshots')).put('head', bytes('c_1'));
    await joined();
    await eventually(() => expect(heard).toEqual(['head c_1', 'current']));
    await real.publish(subject, bytes('12'));
    await real.publish(subjects.auditBatch, bytes('one'));
    await eventually(() => expect(heard).toEqual(['head c_1', 'current', 'told 12', 'record one']));
  });

  it('is tried again when it cannot be reached, and says why', async () => {
    fail(new Error('refused'));
    await eventually(() => expect(logger.warn).toHaveBeenCalledWith({ reason: 'refused' }, expect.any(String)));
    const first = fail;
    await eventually(() => expect(fail).not.toBe(first));
    await joined();
  });

  it('never begins what was stopped before, and does not keep whoever stops it waiting', async () => {
    const heard: string[] = [];
    const subscription = await late.subscribe(subject, ({ data }) => heard.push(textOf(data)));
    await subscription.stop();
    await joined();
    await real.publish(subject, bytes('12'));
    await late.subscribe(subject, () => heard.push('later'));
    await real.publish(subject, bytes('13'));
    await eventually(() => expect(heard).toEqual(['later']));
  });

  it('leaves a bus again that it reaches when it is to end', async () => {
    await late.drain();
    arrive();
    await eventually(() => expect(real.health().connected).toBe(false));
    expect(late.health().connected).toBe(false);
  });
});
