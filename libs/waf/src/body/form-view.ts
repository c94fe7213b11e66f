import type { Bytes } from '../bytes';
import { BodyView } from './body-view';
import { boundaryOf } from './content-type';
import { readMultipart } from './multipart';
import { bodyLimits } from './parsed-body';

/** Bytes of the head of a part up to which it is awaited to tell whether the part is a file. */
const MOST_HEAD_BYTES = 16 * 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const DASH = 0x2d;
const NOTHING = Buffer.alloc(0);

/**
 * A form of several parts without the content of its files behind their first bytes: heads and fields are all shown, wherever
 * they stand. What begins a part is told as the reader of forms tells it, and that reader is asked what a head makes of its
 * part; so nothing is left out that it would take for a field, and it objects to what was left out anywhere else.
 */
export class FormView extends BodyView {
  private readonly delimiter: Buffer;
  /** `fields`: whatever is no file, the preamble among it. */
  private place: 'fields' | 'head' | 'file' | 'epilogue' = 'fields';
  /** Bytes about which nothing is known yet. */
  private held: Buffer = NOTHING;
  /** Of the head that is being read, from its delimiter on. */
  private head: Bytes = '';
  /** Whether the first of the bytes held begins a line. */
  private atLineStart = true;
  private roomForFiles: number;

  /**
   * @param contentType the field as received
   * @param inspectBytes of heads and fields together, and as many of all files together
   * @returns undefined where no boundary is to be had
   */
  static of(contentType: Bytes, inspectBytes: number): FormView | undefined {
    const { text } = boundaryOf(contentType);
    return text === undefined ? undefined : new FormView(contentType, text, inspectBytes);
  }

  private constructor(
    private readonly contentType: Bytes,
    boundary: Bytes,
    inspectBytes: number,
  ) {
    super(inspectBytes);
    this.delimiter = Buffer.from(`--${boundary}`, 'latin1');
    this.roomForFiles = inspectBytes;
  }

  protected take(chunk: Buffer): void {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    while (!this.tooLong && this.step());
    // A chunk is its owner's again when this returns.
    this.held = Buffer.from(this.held);
  }

  protected override flush(): void {
    this.release(this.held.length);
  }

  /** @returns whether there may be more to do with what is held. */
  private step(): boolean {
    if (this.place === 'head') return this.readHead();
    if (this.place === 'epilogue') return this.release(this.held.length);
    const at = this.findDelimiter();
    if (at === undefined) {
      // The line end before a delimiter is no content of a file.
      this.release(Math.max(0, this.held.length - this.delimiter.length - 2));
      return false;
    }
    const content = this.contentBefore(at);
    this.release(content);
    this.place = 'head';
    this.head = this.delimiter.toString('latin1');
    this.release(at - content + this.delimiter.length);
    return true;
  }

  /** @returns where a line begins like the boundary. */
  private findDelimiter(): number | undefined {
    for (let at = this.held.indexOf(this.delimiter); at >= 0; at = this.held.indexOf(this.delimiter, at + 1)) {
      if (at === 0 ? this.atLineStart : this.held[at - 1] === LINE_FEED) return at;
    }
    return undefined;
  }

  private contentBefore(delimiter: number): number {
    if (delimiter === 0) return 0;
    return delimiter >= 2 && this.held[delimiter - 2] === CARRIAGE_RETURN ? delimiter - 2 : delimiter - 1;
  }

  /** Passes so many of the bytes held on, to be shown or left out. @returns false: nothing is left to do. */
  private release(bytes: number): false {
    if (bytes === 0) return false;
    const passed = this.held.subarray(0, bytes);
    this.held = this.held.subarray(bytes);
    this.atLineStart = passed[bytes - 1] === LINE_FEED;
    if (this.place === 'file') this.showFile(passed);
    else this.keep(passed);
    return false;
  }

  private showFile(content: Buffer): void {
    const shown = content.subarray(0, this.roomForFiles);
    this.roomForFiles -= shown.length;
    this.show(shown);
    this.leaveOut(content.length - shown.length);
  }

  /** Takes a line of a head. */
  private readHead(): boolean {
    const isFirst = this.head.length === this.delimiter.length;
    if (isFirst && this.held[0] === DASH && this.held[1] === DASH) return this.goTo('epilogue');
    // A part without the empty line: the next one begins here.
    if (!isFirst && this.held.indexOf(this.delimiter) === 0) return this.goTo('fields');
    const end = this.held.indexOf(LINE_FEED) + 1;
    // A head that is so long is a fault whoever reads it, and its part is a file to nobody.
    if (this.head.length + (end || this.held.length) > MOST_HEAD_BYTES) return this.goTo('fields');
    if (end === 0) return false;
    const line = this.held.toString('latin1', 0, end);
    this.head += line;
    this.release(end);
    const isEmpty = !isFirst && (line === '\r\n' || line === '\n');
    if (isEmpty) this.place = this.isFile() ? 'file' : 'fields';
    return true;
  }

  private isFile(): boolean {
    const part = `${this.head}\r\n${this.delimiter.toString('latin1')}--\r\n`;
    return readMultipart(this.contentType, part, bodyLimits).files.length === 1;
  }

  private goTo(place: 'fields' | 'epilogue'): true {
    this.place = place;
    return true;
  }
}
