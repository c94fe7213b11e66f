import type { Bytes } from '../bytes';

/** Larger results are written into memory of their own, so that one huge value is not paid for ever after. */
const KEPT = 256 * 1024;

/** Up to here a text costs less when it is made here than a call into what Node is written in. */
const SHORT = 8;

let kept = Buffer.allocUnsafe(4096);

/**
 * Where a transformation writes its result, byte by byte. There is one memory for all of them: a transformation runs to
 * its end and calls no other, so two outputs are never open at once.
 */
export class ByteOutput {
  private readonly memory: Buffer;
  length = 0;

  /** @param capacity bytes, the most that will be written */
  constructor(capacity: number) {
    if (capacity > kept.length && capacity <= KEPT) kept = Buffer.allocUnsafe(Math.min(KEPT, capacity * 2));
    this.memory = capacity <= kept.length ? kept : Buffer.allocUnsafe(capacity);
  }

  /** Only the low eight bits count. */
  push(byte: number): void {
    this.memory[this.length++] = byte;
  }

  /** Copies `value[from…to)`. */
  copy(value: Bytes, from: number, to: number): void {
    for (let at = from; at < to; at++) this.memory[this.length++] = value.charCodeAt(at);
  }

  pop(): void {
    this.length--;
  }

  text(): Bytes {
    const { memory, length } = this;
    return length <= SHORT ? shortText(memory, length) : memory.toString('latin1', 0, length);
  }

  /** The text, or `value` itself where both are equal: the engine knows by the reference that nothing changed. */
  textUnlessSame(value: Bytes): Bytes {
    const text = this.text();
    return text === value ? value : text;
  }
}

/** @param length at most `SHORT` */
function shortText(memory: Buffer, length: number): Bytes {
  let text = '';
  let at = 0;
  for (; at + 4 <= length; at += 4)
    text += String.fromCharCode(memory[at]!, memory[at + 1]!, memory[at + 2]!, memory[at + 3]!);
  for (; at < length; at++) text += String.fromCharCode(memory[at]!);
  return text;
}
