import { ByteSet, type Bytes } from '../bytes';
import { noBytes } from './byte-classes';
import type { Transformation } from './transformation';

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const DOT = 0x2e;

/**
 * `t:normalisePath`: takes out empty segments, `.` and `..` with the segment before it. An absolute path never climbs
 * above its root, a relative one keeps the `..` it begins with.
 */
export const normalisePath: Transformation = {
  name: 'normalisePath',
  trigger: ByteSet.of('/.'),
  adds: noBytes,
  perByte: 1,
  apply: (value) => normalise(value, false),
};

/** `t:normalisePathWin`: the same, with backslashes read and written as slashes. */
export const normalisePathWin: Transformation = {
  name: 'normalisePathWin',
  trigger: ByteSet.of('/.\\'),
  adds: ByteSet.of('/'),
  perByte: 1,
  apply: (value) => normalise(value, true),
};

function normalise(value: Bytes, windows: boolean): Bytes {
  if (isNormal(value, windows)) return value;
  const path = Buffer.from(value, 'latin1');
  const length = new PathNormaliser(path, windows).run();
  const text = path.toString('latin1', 0, length);
  return text === value ? value : text;
}

/** Whether nothing is to be done, which is so of nearly every value. */
function isNormal(value: Bytes, windows: boolean): boolean {
  const last = value.length - 1;
  for (let at = 0; at <= last; at++) {
    const byte = value.charCodeAt(at);
    if (byte === SLASH) {
      if (value.charCodeAt(at + 1) === SLASH) return false;
    } else if (byte === BACKSLASH) {
      if (windows) return false;
    } else if (byte === DOT && (at === last || value.charCodeAt(at + 1) === SLASH)) {
      const before = at === 0 ? SLASH : value.charCodeAt(at - 1);
      if (before === DOT || before === SLASH) return false;
    }
  }
  return true;
}

/** Works inside the path's own bytes: what is written never overtakes what is read. */
class PathNormaliser {
  private readonly last: number;
  private readonly relative: boolean;
  private read = 0;
  private written = 0;
  /** A relative path has used up its own segments: the `..` that follow must stay. */
  private climbed = false;

  constructor(
    private readonly path: Buffer,
    private readonly windows: boolean,
  ) {
    this.last = path.length - 1;
    this.relative = !this.separates(0);
  }

  /** @returns the length of the result */
  run(): number {
    const { path, last } = this;
    const endsInSlash = this.separates(last);
    while (this.read <= last) {
      this.turnBackslash(this.read);
      this.turnBackslash(this.read + 1);
      if (this.endOfSegment() && this.reference()) continue;
      this.copy();
    }
    const cut = !endsInSlash && this.written > 0 && path[this.written - 1] === SLASH;
    return cut ? this.written - 1 : this.written;
  }

  private separates(at: number): boolean {
    return this.path[at] === SLASH || (this.windows && this.path[at] === BACKSLASH);
  }

  private turnBackslash(at: number): void {
    if (this.separates(at)) this.path[at] = SLASH;
  }

  private endOfSegment(): boolean {
    return this.read === this.last || this.path[this.read + 1] === SLASH;
  }

  /**
   * Takes out a `.` or a `..` that ends here.
   * @returns whether the round is over, with nothing to copy
   */
  private reference(): boolean {
    const { path, read, last } = this;
    if (path[read] !== DOT) {
      if (this.written > 0 && (path[read] !== SLASH || read === last)) this.climbed = false;
      return false;
    }
    const before = this.written > 0 ? path[this.written - 1] : undefined;
    if (before === DOT) {
      if (this.relative && (this.climbed || this.written - 2 <= 0)) {
        this.climbed = true;
        return false;
      }
      this.dropSegment();
    } else if (before === SLASH) {
      if (read < last) this.written--;
    } else if (before !== undefined) return false;
    this.read++;
    return read === last;
  }

  /** Forgets the segment before the `..` whose first dot was written already. */
  private dropSegment(): void {
    this.written -= 3;
    while (this.written > 0 && this.path[this.written] !== SLASH) this.written--;
    if (this.written > 0) return;
    this.climbed = true;
    this.written = !this.relative && this.read === this.last ? 1 : 0;
  }

  /** Copies one byte, and of a run of slashes the last. */
  private copy(): void {
    const { path, last } = this;
    if (path[this.read] === SLASH) {
      // Of three backslashes ModSecurity leaves the last as it is.
      while (this.read < last && this.separates(this.read + 1)) this.read++;
      if (this.relative && this.written === 0) {
        this.read++;
        return;
      }
    }
    path[this.written++] = path[this.read++]!;
  }
}
