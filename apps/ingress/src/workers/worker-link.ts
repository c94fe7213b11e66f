import { Asking, type Closable, type Life, type Metrics, type MetricsPage, type Readiness } from '@sallyport/platform';
import type { IngressFacts } from '../admin/status';
import { STATE_EVERY_MS, type FromWorker, type ToWorker } from './messages';

/** The channel to the supervisor, as far as a worker uses it. */
export interface Channel {
  send(message: FromWorker): void;
  onMessage(listener: (message: ToWorker) => void): void;
}

/** What a worker can say about itself once it runs. */
export interface WorkerVoice {
  readonly metrics: Metrics;
  readonly ready: () => Readiness;
  readonly facts: () => IngressFacts;
}

/** How long the admin door waits for what the others say. */
const EVERYBODY_MS = 3_000;

/** A worker's end of the channel: says how it is, answers what it is asked, and ends the process when it is told to. */
export class WorkerLink {
  private voice: WorkerVoice | undefined;
  private readonly asking = new Asking<readonly IngressFacts[]>();
  /** The place of this process in the group, once it is given one; undefined when the process is to end before that. */
  readonly slot: Promise<number | undefined>;

  constructor(
    private readonly channel: Channel,
    life: Life,
  ) {
    let serve: (slot: number | undefined) => void;
    this.slot = new Promise((resolve) => (serve = resolve));
    channel.onMessage((message) => {
      if (message.what === 'serve') serve(message.slot);
      else if (message.what === 'end') life.end(message.reason);
      else if (message.what === 'everybody') this.asking.answer(message.ask, message.facts);
      else void this.answer(message);
    });
    life.onEnd((reason) => {
      serve(undefined);
      channel.send({ what: 'ending', reason });
    });
  }

  /** From now on the supervisor counts on this worker. @returns what says the last words. */
  speak(voice: WorkerVoice): Closable {
    this.voice = voice;
    const sayState = () => this.channel.send({ what: 'state', ...voice.ready() });
    sayState();
    const timer = setInterval(sayState, STATE_EVERY_MS);
    timer.unref();
    return {
      close: async () => {
        clearInterval(timer);
        this.channel.send({ what: 'metrics', ask: 0, page: await pageOf(voice.metrics) });
      },
    };
  }

  listening(): void {
    this.channel.send({ what: 'listening' });
  }

  /** What every worker says about itself, this one among them. */
  async everybody(): Promise<readonly IngressFacts[]> {
    const facts = await this.asking.put((ask) => this.channel.send({ what: 'everybody?', ask }), EVERYBODY_MS);
    return facts ?? [this.voice!.facts()];
  }

  private async answer({ what, ask }: { readonly what: 'metrics?' | 'facts?'; readonly ask: number }): Promise<void> {
    if (!this.voice) return;
    if (what === 'facts?') this.channel.send({ what: 'facts', ask, facts: this.voice.facts() });
    else this.channel.send({ what: 'metrics', ask, page: await pageOf(this.voice.metrics) });
  }
}

async function pageOf(metrics: Metrics): Promise<MetricsPage> {
  return { text: await metrics.exposition(), merges: metrics.merges() };
}
