import type { Refusal } from '@sallyport/contracts';
import type { ForwardPhase, ForwardSink, UpstreamClient, UpstreamRequest } from '../forward';
import type { RawFields } from '../raw-fields';

/** Gathers an answer; `done` settles with the last call. */
export class Gathered implements ForwardSink {
  status = 0;
  fields: RawFields = [];
  trailers: RawFields | undefined;
  text = '';
  mayBeCut: boolean | undefined;
  readonly calls: string[] = [];
  refusal: Refusal | undefined;
  phase: ForwardPhase | undefined;
  readonly headSeen: Promise<void>;
  readonly done: Promise<void>;
  private headCame!: () => void;
  private settle!: () => void;

  constructor(private readonly take: (chunk: Buffer) => boolean = () => true) {
    this.headSeen = new Promise((resolve) => (this.headCame = resolve));
    this.done = new Promise((resolve) => (this.settle = resolve));
  }

  onHead(status: number, fields: RawFields, mayBeCut?: boolean): void {
    this.calls.push('head');
    this.status = status;
    this.fields = fields;
    this.mayBeCut = mayBeCut;
    this.headCame();
  }

  onData(chunk: Buffer): boolean {
    this.text += chunk.toString('latin1');
    return this.take(chunk);
  }

  onTrailers(fields: RawFields): void {
    this.calls.push('trailers');
    this.trailers = fields;
  }

  onEnd(): void {
    this.calls.push('end');
    this.settle();
  }

  onFailure(refusal: Refusal, phase: ForwardPhase): void {
    this.calls.push('failure');
    this.refusal = refusal;
    this.phase = phase;
    this.settle();
  }
}

export const quickTimeouts = { connectMs: 2_000, firstByteMs: 5_000, idleMs: 5_000 };

/** Makes one exchange and waits for its end. */
export async function exchangeWith(client: UpstreamClient, request: Partial<UpstreamRequest> = {}): Promise<Gathered> {
  const sink = new Gathered();
  client.forward(
    {
      method: 'GET',
      path: '/',
      fields: ['host', client.authority],
      body: undefined,
      timeouts: quickTimeouts,
      ...request,
    },
    sink,
  );
  await sink.done;
  return sink;
}
