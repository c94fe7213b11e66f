import type { ServerResponse } from 'node:http';
import { auditV1, subjects } from '@sallyport/contracts';
import type { Bus, Closable, Subscription } from '@sallyport/platform';
import { eventView } from './event-view';

/** Bytes a watcher may be behind before it is let go. */
const BEHIND_BYTES = 1024 * 1024;
const COMMENT_MS = 15_000;

/**
 * Sends records to watchers as they are committed, as server-sent events. At most once and from now on: who must not
 * miss any reads pages.
 */
export class LiveRecords implements Closable {
  readonly #watchers = new Set<ServerResponse>();
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;

  async start(bus: Bus): Promise<void> {
    this.#subscription = await bus.subscribe(subjects.auditEvents, ({ data }) => this.#send(data));
    this.#timer = setInterval(() => this.#each((watcher) => watcher.write(':\n\n')), COMMENT_MS);
    this.#timer.unref();
  }

  add(watcher: ServerResponse): void {
    watcher.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    watcher.write(':\n\n');
    this.#watchers.add(watcher);
    watcher.once('close', () => this.#watchers.delete(watcher));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#subscription?.stop();
    this.#each((watcher) => watcher.end());
    this.#watchers.clear();
  }

  #send(data: Uint8Array): void {
    if (this.#watchers.size === 0) return;
    const { uid, kind, atMs, position, body } = auditV1.Event.decode(data);
    const view = eventView({ uid, kind, at: Number(atMs), position: Number(position), body });
    const text = `id: ${position}\nevent: ${kind}\ndata: ${JSON.stringify(view)}\n\n`;
    this.#each((watcher) => {
      if (watcher.writableLength > BEHIND_BYTES) watcher.destroy();
      else watcher.write(text);
    });
  }

  #each(act: (watcher: ServerResponse) => void): void {
    for (const watcher of this.#watchers) act(watcher);
  }
}
