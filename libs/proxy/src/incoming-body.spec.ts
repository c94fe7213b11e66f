import { PassThrough, type Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Refusal } from '@sallyport/contracts';
import { BodyCap } from './body-cap';
import { IncomingBody, type BodyListener } from './incoming-body';

function reading(maxBytes: number, more: Partial<BodyListener> = {}) {
  const source = new PassThrough();
  const seen: string[] = [];
  const body = new IncomingBody(source, new BodyCap(maxBytes), {
    onChunk: (chunk) => seen.push(chunk.toString()),
    onEnd: () => seen.push('end'),
    onRefused: ({ code }: Refusal) => seen.push(code),
    onAborted: () => seen.push('aborted'),
    onDefect: (error) => seen.push(String(error)),
    ...more,
  });
  body.start();
  return { source, seen, body };
}

describe('BodyCap', () => {
  it('refuses an announced length before a byte is read', () => {
    const cap = new BodyCap(10);
    expect(cap.announce(10)).toBeUndefined();
    expect(cap.announce(undefined)).toBeUndefined();
    expect(cap.announce(11)).toMatchObject({ code: 'BODY_TOO_LARGE', params: { maxBytes: 10 } });
  });

  it('never rises', () => {
    const cap = new BodyCap(10);
    cap.lower(5);
    cap.lower(20);
    expect(cap.count(5)).toBeUndefined();
    expect(cap.count(1)).toMatchObject({ params: { maxBytes: 5 } });
  });
});

describe('IncomingBody', () => {
  it('hands a complete body on in one piece', async () => {
    const { source, seen, body } = reading(100);
    source.write('ab');
    source.end('cd');
    await turn();
    expect(seen).toEqual(['ab', 'cd', 'end']);
    expect(body.release()).toEqual(Buffer.from('abcd'));
  });

  it('does not hold a body that comes byte by byte as so many pieces: each would cost a hundred bytes', async () => {
    const { source, body } = reading(10_000);
    const sent = Buffer.alloc(2_000, 'a');
    for (let at = 0; at < sent.length; at++) {
      source.write(sent.subarray(at, at + 1));
      await turn();
    }
    sent.fill('b');
    // What is still what was written, and not a copy of it, is kept as it came.
    expect(body.bytes().toString().lastIndexOf('b')).toBeLessThan(1_000);
    source.end();
    await turn();
    expect(body.release()).toHaveLength(2_000);
  });

  it('waits for whoever looks at it, and is not awaited meanwhile', async () => {
    const { source, seen, body } = reading(100);
    source.write('a');
    await turn();
    body.holdUp();
    source.write('b');
    await turn();
    expect([seen, body.isAwaited]).toEqual([['a'], false]);
    body.carryOn();
    source.end();
    await turn();
    await turn();
    expect(seen).toEqual(['a', 'b', 'end']);
  });

  it('is read on for the answer, whoever it waited for', async () => {
    const { source, body } = reading(100);
    body.holdUp();
    body.discard(10, () => undefined);
    source.end('rest');
    await new Promise((resolve) => source.once('end', resolve));
  });

  it('hands on nothing when there was nothing', async () => {
    const { source, body } = reading(100);
    source.end();
    await turn();
    expect(body.release()).toBeUndefined();
  });

  it('streams what is held, then what comes, when it is released before the end', async () => {
    const { source, body } = reading(100);
    source.write('held ');
    await turn();
    const stream = body.release() as Readable;
    source.end('and new');
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part as Buffer);
    expect(Buffer.concat(parts).toString()).toBe('held and new');
  });

  it('reads no faster than the upstream takes it', async () => {
    const { source, body } = reading(10_000_000);
    source.write('x');
    await turn();
    const stream = body.release() as Readable;
    for (let at = 0; at < 64; at++) source.write(Buffer.alloc(16_384));
    await turn();
    expect(source.isPaused()).toBe(true);
    expect(stream.readableLength).toBeLessThan(65_536);
    stream.resume();
    while (source.readableLength > 0) await turn();
  });

  it('refuses a chunked body while it is read, and stops reading', async () => {
    const { source, seen, body } = reading(3);
    source.write('ab');
    await turn();
    const stream = body.release() as Readable;
    source.write('cd');
    source.write('ef');
    await turn();
    expect(seen).toEqual(['ab', 'BODY_TOO_LARGE']);
    expect(stream.destroyed).toBe(true);
    expect(source.destroyed).toBe(false);
  });

  it('throws away a bounded rest after a refusal', async () => {
    const { source, seen, body } = reading(1);
    source.write('ab');
    await turn();
    let excess = 0;
    body.discard(4, () => excess++);
    source.write('abcd');
    await turn();
    expect(excess).toBe(0);
    source.write('e');
    source.write('f');
    await turn();
    expect(excess).toBe(1);
    expect(seen).toEqual(['BODY_TOO_LARGE']);
  });

  it('says once that the client went away, and takes the upstream stream with it', async () => {
    const { source, seen, body } = reading(100);
    source.write('ab');
    await turn();
    const stream = body.release() as Readable;
    source.destroy(new Error('gone'));
    await turn();
    expect(seen).toEqual(['ab', 'aborted']);
    expect(stream.destroyed).toBe(true);
  });

  it.each(['onChunk', 'onEnd', 'onRefused', 'onAborted'] as const)(
    'tells who follows it what it threw itself, in %s, and harms nobody else',
    async (callback) => {
      const defects: unknown[] = [];
      const fault = new Error('a defect');
      const { source } = reading(callback === 'onRefused' ? 1 : 100, {
        [callback]: () => {
          throw fault;
        },
        onDefect: (error) => defects.push(error),
      });
      source.write('ab');
      await turn();
      if (callback === 'onAborted') source.destroy();
      else source.end();
      await turn();
      expect(defects).toEqual([fault]);
    },
  );
});
