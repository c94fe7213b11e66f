import type { InspectionStream } from './inspection-stream';

/** The streams ingresses hold open. */
export class OpenStreams {
  private readonly streams = new Set<InspectionStream>();

  add(stream: InspectionStream): void {
    this.streams.add(stream);
  }

  delete(stream: InspectionStream): void {
    this.streams.delete(stream);
  }

  get count(): number {
    return this.streams.size;
  }

  /** Exchanges of all streams that wait for more of their body. */
  get exchanges(): number {
    let sum = 0;
    for (const stream of this.streams) sum += stream.size;
    return sum;
  }
}
