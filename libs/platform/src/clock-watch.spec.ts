import { subjects, type Clock } from '@sallyport/contracts';
import type { AuditEvent } from '@sallyport/trail';
import { watchClock, type ClockWatch } from './clock-watch';
import { createEmbeddedBus } from './embedded-bus';
import type { Bus } from './bus';
import { createLogger, type Logger } from './logger';
import { createMetrics, type Metrics } from './metrics';

interface Node {
  readonly watch: ClockWatch;
  readonly metrics: Metrics;
  readonly lines: string[];
  readonly records: AuditEvent[];
  /** Milliseconds by which its clock is ahead of the truth. */
  ahead: number;
  /** Milliseconds for which it has stood still. */
  stood: number;
}

describe('the clocks of a cluster', () => {
  let bus: Bus;
  let nodes: Node[];

  beforeEach(() => {
    jest.useFakeTimers();
    const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
    bus = createEmbeddedBus(clock);
    nodes = [];
  });
  afterEach(async () => {
    await Promise.all(nodes.map(({ watch }) => watch.close()));
    jest.useRealTimers();
    await bus.drain();
  });

  async function join(name: string, ahead = 0): Promise<Node> {
    const node = {
      ahead,
      stood: 0,
      metrics: createMetrics('auth'),
      lines: [] as string[],
      records: [] as AuditEvent[],
    };
    const line = (level: string) => (_: object, words: string) => void node.lines.push(`${level}: ${words}`);
    const logger = { ...createLogger({ app: 'auth', node: name, level: 'silent' }) } as Logger;
    Object.assign(logger, { info: line('info'), warn: line('warn'), error: line('error') });
    const watch = await watchClock({
      app: 'auth',
      node: name,
      bus,
      clock: { now: () => Date.now() + node.ahead, monotonic: () => performance.now() + node.stood },
      random: (count) => Buffer.alloc(count, 7),
      logger,
      metrics: node.metrics,
      trail: {
        append: (event) => {
          node.records.push(event);
          return { uid: event.uid, seq: 1, written: Promise.resolve(), durable: Promise.resolve() };
        },
      },
    });
    const joined = Object.assign(node, { watch });
    nodes.push(joined);
    return joined;
  }
  const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);
  const faults = () => nodes.map(({ watch }) => watch.fault());

  it('are trusted while they agree, and nobody says a word', async () => {
    for (const name of ['one', 'two', 'three']) await join(name, name.length * 100);
    await pass(60_000);
    expect(faults()).toEqual([undefined, undefined, undefined]);
    expect(nodes.flatMap(({ lines, records }) => [...lines, ...records])).toEqual([]);
  });

  it.each([
    [600_000, 'the clock is 600 s ahead of the others'],
    [-600_000, 'the clock is 600 s behind the others'],
  ])(
    'name the one that is %d ms off within seconds of its start, with a line, a record and a metric',
    async (ahead, words) => {
      for (const name of ['one', 'two', 'three']) await join(name);
      await pass(20_000);
      const wrong = await join('wrong', ahead);
      await pass(3_000);
      expect(faults()).toEqual([undefined, undefined, undefined, words]);
      expect(wrong.lines).toEqual([
        'warn: the clock of this process is not that of the others',
        `error: ${words}: nothing is decided by it`,
      ]);
      expect(wrong.records.map(({ kind, body }) => [kind, body['compliance'], body['unmapped']])).toEqual([
        [
          'control.reported',
          { control: 'clock-skew', standards: ['Sallyport controls'], status_id: 3 },
          {
            sallyport: {
              app: 'auth',
              detail: { offset_seconds: ahead / 1000 },
              kind: 'control.reported',
              what: 'clock-skew',
            },
          },
        ],
      ]);
      const [, seconds] = /^sallyport_clock_offset_seconds\{app="auth"\} (.*)$/m.exec(
        await wrong.metrics.exposition(),
      )!;
      expect(Number(seconds)).toBeCloseTo(ahead / 1000, 1);
    },
  );

  it('find one that is set while it runs, and trust it again when it is set right', async () => {
    for (const name of ['one', 'two', 'three']) await join(name);
    await pass(20_000);
    nodes[1]!.ahead = -3_600_000;
    await pass(6_000);
    expect(faults()).toEqual([undefined, 'the clock is 3600 s behind the others', undefined]);
    nodes[1]!.ahead = 0;
    await pass(20_000);
    expect(faults()).toEqual([undefined, undefined, undefined]);
    expect(nodes[1]!.records.map(({ body }) => body['compliance'])).toMatchObject([{ status_id: 3 }, { status_id: 1 }]);
    expect(nodes[1]!.lines.slice(-2)).toEqual([
      'info: the clock of this process is that of the others again',
      'info: the clock decides again',
    ]);
  });

  it('are held for wrong for as long as nobody is heard who could say otherwise', async () => {
    const names = ['one', 'two', 'three', 'four'];
    for (const name of names) await join(name);
    const wrong = await join('wrong', 600_000);
    await pass(3_000);
    // One after the other, as they would fall silent.
    for (const node of nodes.splice(0, names.length)) {
      await node.watch.close();
      await pass(7_000);
      expect(wrong.watch.fault()).toBe('the clock is 600 s ahead of the others');
    }
    await pass(60_000);
    expect(wrong.watch.fault()).toBe('the clock is 600 s ahead of the others');
    expect(wrong.records).toHaveLength(1);
  });

  it('are not wrong where two others are, to either side', async () => {
    for (const name of ['one', 'two', 'three']) await join(name);
    await join('ahead', 600_000);
    await join('behind', -600_000);
    await pass(20_000);
    expect(faults().map((fault) => fault !== undefined)).toEqual([false, false, false, true, true]);
  });

  it('do not say one thing and the other where they are off by just as much as is borne', async () => {
    for (const name of ['one', 'two', 'three']) await join(name);
    const unsteady = await join('unsteady', 30_500);
    await pass(10_000);
    for (let change = 0; change < 20; change++) {
      unsteady.ahead = change % 2 === 0 ? 29_500 : 30_500;
      await pass(20_000);
    }
    expect(unsteady.records).toHaveLength(1);
    expect(unsteady.lines).toHaveLength(2);
  });

  it('are not judged by what has waited for a process that stood still', async () => {
    for (const name of ['one', 'two', 'three']) await join(name);
    await pass(20_000);
    const stood = nodes[0]!;
    for (const node of nodes.splice(1)) await node.watch.close();
    // What others have said two minutes ago, and nothing new yet: the connection has to be made again.
    stood.stood = 120_000;
    for (const node of ['two', 'three', 'two', 'three', 'two', 'three'])
      await bus.publish(subjects.clockTold, Buffer.from(JSON.stringify({ node, at: Date.now() - 120_000 })));
    await pass(15_000);
    expect(stood.watch.fault()).toBeUndefined();
    expect(stood.lines).toEqual([]);
  });

  it('are a line of the log, and no more, where they are off by a few seconds', async () => {
    for (const name of ['one', 'two']) await join(name);
    const suspect = await join('suspect', 5_000);
    await pass(10_000);
    expect(faults()).toEqual([undefined, undefined, undefined]);
    expect(suspect.lines).toEqual(['warn: the clock of this process is not that of the others']);
  });

  it('count processes of one node once: many of them outvote nobody', async () => {
    for (const name of ['one', 'two', 'three']) await join(name);
    for (let worker = 0; worker < 8; worker++) await join('ingress', 600_000);
    await pass(20_000);
    expect(faults().map((fault) => fault !== undefined)).toEqual([...Array(3).fill(false), ...Array(8).fill(true)]);
  });

  it('are not moved by what cannot be read', async () => {
    for (const name of ['one', 'two', 'three']) await join(name);
    for (const text of [
      '',
      'null',
      '[]',
      '{"node":1,"at":2}',
      '{"node":"x","at":1e300}',
      '{"node":"x"}',
      '\u0000',
      `{"node":"${'x'.repeat(300)}","at":1}`,
    ])
      await bus.publish(subjects.clockTold, Buffer.from(text));
    await pass(10_000);
    expect(faults()).toEqual([undefined, undefined, undefined]);
    expect(nodes[0]!.lines).toEqual(['warn: a message about the time cannot be read; it is not said again of others']);
  });
});
