import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { auditV1, subjects, systemClock } from '@sallyport/contracts';
import { BusUnavailable, createEmbeddedBus } from '@sallyport/platform';
import { LiveRecords } from './live';

const subject = subjects.auditEvent('request.completed', 'acme');
const record = auditV1.Event.encode({
  uid: '0199b0c4-6d2b-7c41-9f0e-3a5d2b8e7711',
  kind: 'request.completed',
  atMs: 1n,
  position: 7n,
  body: Buffer.from('{}'),
}).finish();

/** As much of an answer as a watcher is made of. */
class Watcher extends EventEmitter {
  text = '';
  destroyed = false;
  writableLength = 0;

  writeHead(): void {}

  write(text: string): void {
    this.text += text;
  }

  end(): void {
    this.leave();
  }

  destroy(): void {
    this.leave();
  }

  leave(): void {
    this.destroyed = true;
    this.emit('close');
  }

  get response(): ServerResponse {
    return this as unknown as ServerResponse;
  }
}

describe('live records', () => {
  const bus = createEmbeddedBus(systemClock);
  const live = new LiveRecords(bus);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const watch = async () => {
    const watcher = new Watcher();
    await live.listenFor(watcher.response);
    live.add(watcher.response);
    return watcher;
  };
  afterAll(async () => {
    await live.close();
    await bus.drain();
  });

  it('are listened to only while somebody watches', async () => {
    expect(bus.isHeard(subject)).toBe(false);
    const [one, other] = [await watch(), await watch()];
    expect(bus.isHeard(subject)).toBe(true);
    one.leave();
    await turn();
    expect(bus.isHeard(subject)).toBe(true);
    other.leave();
    await turn();
    expect(bus.isHeard(subject)).toBe(false);
  });

  it('reach whoever begins to watch while the last one goes', async () => {
    const last = await watch();
    last.leave();
    const next = await watch();
    await bus.publish(subject, record);
    await turn();
    expect(last.text).not.toContain('id: 7');
    expect(next.text).toContain('id: 7\nevent: request.completed\n');
    next.leave();
  });

  it('refuse whoever comes when they are closed, and end who is there', async () => {
    const closing = new LiveRecords(bus);
    const [there, between] = [new Watcher(), new Watcher()];
    await closing.listenFor(there.response);
    closing.add(there.response);
    await closing.listenFor(between.response);
    const closed = closing.close();
    closing.add(between.response);
    await closed;
    await expect(closing.listenFor(new Watcher().response)).rejects.toThrow(BusUnavailable);
    expect([there.destroyed, between.destroyed, between.text, bus.isHeard(subject)]).toEqual([true, true, '', false]);
  });

  it('are not sent to one that left before its answer began', async () => {
    const watcher = new Watcher();
    await live.listenFor(watcher.response);
    watcher.leave();
    live.add(watcher.response);
    await turn();
    expect([watcher.text, bus.isHeard(subject)]).toEqual(['', false]);
  });
});
