import type { Bytes } from '../bytes';

/** Bytes of a body that rules are not shown, in the middle of those they are. */
export interface Gap {
  /** Where it would stand in the text that is shown. */
  readonly at: number;
  readonly bytes: number;
}

/** Why rules see less than the whole of a body. */
export type Unseen = 'body-limit' | 'file-content' | 'opaque-type';

/** What rules get to see of a body, gathered as its bytes arrive; no more is held than they are shown. */
export abstract class BodyView {
  /** Bytes of the body so far. */
  received = 0;
  /** Whether there was more of what counts than is inspected. */
  tooLong = false;
  readonly gaps: Gap[] = [];
  private readonly pieces: Bytes[] = [];
  private kept = 0;
  private counted = 0;

  /** @param inspectBytes of what counts, that are shown */
  constructor(private readonly inspectBytes: number) {}

  /** @returns whether more is wanted. */
  push(chunk: Uint8Array): boolean {
    this.received += chunk.length;
    if (!this.tooLong) this.take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    return this.wantsMore;
  }

  /** What is shown, once; the view is of no use afterwards. */
  end(): Bytes {
    if (!this.tooLong) this.flush();
    const text = this.pieces.join('');
    this.pieces.length = 0;
    return text;
  }

  protected get wantsMore(): boolean {
    return !this.tooLong;
  }

  /** Why rules see less than all; undefined: they see all. */
  get unseen(): Unseen | undefined {
    if (this.tooLong) return 'body-limit';
    return this.gaps.length > 0 ? 'file-content' : undefined;
  }

  protected abstract take(chunk: Buffer): void;

  /** Takes what was held back for what might have followed. */
  protected flush(): void {}

  /** Shows bytes that count. */
  protected keep(bytes: Buffer): void {
    const room = this.inspectBytes - this.counted;
    this.counted += bytes.length;
    this.show(room < bytes.length ? bytes.subarray(0, Math.max(0, room)) : bytes);
    if (this.counted > this.inspectBytes) this.tooLong = true;
  }

  /** Shows bytes that do not count. */
  protected show(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.pieces.push(bytes.toString('latin1'));
    this.kept += bytes.length;
  }

  /** Leaves bytes out. */
  protected leaveOut(bytes: number): void {
    if (bytes === 0) return;
    const last = this.gaps.at(-1);
    if (last?.at === this.kept) this.gaps[this.gaps.length - 1] = { at: last.at, bytes: last.bytes + bytes };
    else this.gaps.push({ at: this.kept, bytes });
  }
}

/** The beginning of any body. */
export class PlainView extends BodyView {
  protected take(chunk: Buffer): void {
    this.keep(chunk);
  }
}

/** Nothing of a body that is no text: rules over text find in it what is not there. */
export class OpaqueView extends BodyView {
  constructor() {
    super(0);
  }

  override get unseen(): Unseen | undefined {
    return this.received > 0 ? 'opaque-type' : undefined;
  }

  protected override get wantsMore(): boolean {
    return false;
  }

  protected take(): void {
    // Its size is known, and nothing else.
  }
}

/** The beginning of a body that is one file. */
export class FileView extends BodyView {
  private room: number;

  protected override get wantsMore(): boolean {
    return this.gaps.length === 0;
  }

  constructor(inspectBytes: number) {
    super(inspectBytes);
    this.room = inspectBytes;
  }

  protected take(chunk: Buffer): void {
    const shown = chunk.subarray(0, this.room);
    this.room -= shown.length;
    this.show(shown);
    this.leaveOut(chunk.length - shown.length);
  }
}
