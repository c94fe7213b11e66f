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
    const node = { ahead, metrics: createMetrics('auth'), lines: [] as string[], records: [] as AuditEvent[] };
    const line = (level: string) => (_: object, words: string) => void node.lines.push(`${level}: ${words}`);
    const logger = { ...createLogger({ app: 'auth', node: name, level: 'silent' }) } as Logger;
    Object.assign(logger, { info: line('info'), warn: line('warn'), error: line('error') });
    const watch = await watchClock({
      app: 'auth',
      node: name,
      bus,
      clock: { now: () => Date.now() + node.ahead, monotonic: () => performance.now() },
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
    for (const name of ['one', 'two']) await join(name);
    const wrong = await join('wrong', 600_000);
    await pass(3_000);
    for (const node of nodes.splice(0, 2)) await node.watch.close();
    await pass(60_000);
    expect(wrong.watch.fault()).toBe('the clock is 600 s ahead of the others');
  });

  it('are a line of the log, and no more, where they are off by a few seconds', async () => {
    for (const name of ['one', 'two']) await join(name);
    const suspect = await join('suspect', 5_000);
    await pass(10_000);
    expect(faults()).toEqual([undefined, undefined, undefined]);
    expect(suspect.lines).toEqual(['warn: the clock of this process is not that of the others']);
  });

  it('count the workers of one node once: many of them outvote nobody', async () => {
    for (const name of ['one', 'two', 'three']) await join(name);
    for (let worker = 0; worker < 8; worker++) await join('ingress', 600_000);
    await pass(20_000);
    expect(faults().map((fault) => fault !== undefined)).toEqual([...Array(3).fill(false), ...Array(8).fill(true)]);
  });

  it('are not moved by what cannot be read', async () => {
    for (const name of ['one', 'two', 'three']) await join(name);
    for (const text of ['', 'null', '[]', '{"node":1,"at":2}', '{"node":"x","at":1e300}', '{"node":"x"}', '\u0000'])
      await bus.publish(subjects.clockTold, Buffer.from(text));
    await pass(10_000);
    expect(faults()).toEqual([undefined, undefined, undefined]);
    expect(nodes[0]!.lines).toHaveLength(7);
  });
});
