const AMPERSAND = 0x26;

/** Counts the arguments of a form as its bytes arrive. */
export class FormCounter {
  private separators = 0;
  private seenAny = false;

  constructor(private readonly maxArguments: number) {}

  /** @returns whether there are too many. */
  push(chunk: Uint8Array): boolean {
    this.seenAny ||= chunk.length > 0;
    for (let at = chunk.indexOf(AMPERSAND); at >= 0; at = chunk.indexOf(AMPERSAND, at + 1)) this.separators += 1;
    return this.count > this.maxArguments;
  }

  /** Arguments so far; an empty one between two separators counts. */
  get count(): number {
    return this.seenAny ? this.separators + 1 : 0;
  }
}
