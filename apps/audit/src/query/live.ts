import type { ServerResponse } from 'node:http';
import { auditV1, subjects } from '@sallyport/contracts';
import { BusUnavailable, type Bus, type Closable, type Subscription } from '@sallyport/platform';
import { eventView } from './event-view';

/** Bytes a watcher may be behind before it is let go. */
const BEHIND_BYTES = 1024 * 1024;
const COMMENT_MS = 15_000;

/**
 * Sends records to watchers as they are committed, as server-sent events. At most once and from now on: who must not
 * miss any reads pages. It listens to the bus only while somebody watches, so that a bus in process can tell that nobody
 * would hear a record.
 */
export class LiveRecords implements Closable {
  readonly #watchers = new Set<ServerResponse>();
  readonly #timer: NodeJS.Timeout;
  /** Watchers that are there or on their way. */
  #wanted = 0;
  #closed = false;
  #subscription: Subscription | undefined;
  #turning: Promise<void> = Promise.resolve();

  constructor(private readonly bus: Bus) {
    this.#timer = setInterval(() => this.#each((watcher) => watcher.write(':\n\n')), COMMENT_MS);
    this.#timer.unref();
  }

  /**
   * Resolves when records are listened to, which they are until the watcher closes.
   * @throws BusUnavailable
   */
  async listenFor(watcher: ServerResponse): Promise<void> {
    if (watcher.destroyed) return;
    if (this.#closed) throw new BusUnavailable('live records are closed');
    this.#wanted++;
    watcher.once('close', () => {
      this.#wanted--;
      this.#watchers.delete(watcher);
      this.#listenWhileWanted().catch(() => undefined);
    });
    await this.#listenWhileWanted();
  }

  /** Begins the answer of a watcher that is listened for: what is committed from now on, it sees. */
  add(watcher: ServerResponse): void {
    if (watcher.destroyed) return;
    if (this.#closed) return void watcher.destroy();
    watcher.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    watcher.write(':\n\n');
    this.#watchers.add(watcher);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#each((watcher) => watcher.end());
    this.#watchers.clear();
    await this.#listenWhileWanted().catch(() => undefined);
  }

  /** One after another: who comes while the last one goes must find a subscription that stays. */
  #listenWhileWanted(): Promise<void> {
    const turned = this.#turning.then(async () => {
      if (this.#wanted > 0 && !this.#closed) {
        this.#subscription ??= await this.bus.subscribe(subjects.auditEvents, ({ data }) => this.#send(data));
      } else {
        await this.#subscription?.stop();
        this.#subscription = undefined;
      }
    });
    this.#turning = turned.catch(() => undefined);
    return turned;
  }

  #send(data: Uint8Array): void {
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
