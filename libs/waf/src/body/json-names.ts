import { copyOf, type Bytes } from '../bytes';
import { isDigit } from '../transformations/byte-classes';
import { foldName } from '../variables/fold-name';

/** Names that are kept before all are forgotten. */
const MOST_NAMES = 4096;
/** Bytes of the longest that is kept. */
const LONGEST = 256;

/** How rules call a place in a document, and the places in it. */
export class JsonName {
  /** By what the document calls them. */
  members: Map<Bytes, JsonName> | undefined;
  /** By index. */
  elements: JsonName[] | undefined;
  private lowerCase: Bytes | undefined;

  /** @param isKept whether those in it may be kept as well */
  constructor(
    readonly text: Bytes,
    readonly isKept: boolean,
  ) {}

  /**
   * In lower case, which is how selectors find it. It is read when it is asked for: names of containers nobody asks for, and they
   * may be long and many.
   */
  get folded(): Bytes {
    this.lowerCase ??= foldName(this.text);
    return this.lowerCase;
  }
}

/**
 * Names of places in documents, which are the same in most documents of an API: each is put together once, and not for every
 * document. They say nothing of a value. What is kept is bounded, whatever documents bring.
 */
export class JsonNames {
  private root = new JsonName('json', true);
  private kept = 0;

  /** The name of a document, from which those of one document follow. */
  get document(): JsonName {
    if (this.kept >= MOST_NAMES) {
      this.root = new JsonName('json', true);
      this.kept = 0;
    }
    return this.root;
  }

  member(container: JsonName, called: Bytes): JsonName {
    const known = container.members?.get(called);
    if (known) return known;
    const text = `${container.text}.${called}`;
    // V8 hashes digits by their value: whoever writes the document could make such names collide.
    if (isDigit(called.charCodeAt(0)) || !this.hasRoom(container, text)) return new JsonName(text, false);
    const name = new JsonName(copyOf(text), true);
    (container.members ??= new Map()).set(copyOf(called), name);
    return name;
  }

  element(container: JsonName, index: number): JsonName {
    const known = container.elements?.[index];
    if (known) return known;
    const text = `${container.text}.${index}`;
    if (!this.hasRoom(container, text)) return new JsonName(text, false);
    const name = new JsonName(copyOf(text), true);
    (container.elements ??= [])[index] = name;
    return name;
  }

  private hasRoom({ isKept }: JsonName, text: Bytes): boolean {
    if (!isKept || this.kept >= MOST_NAMES || text.length > LONGEST) return false;
    this.kept++;
    return true;
  }
}
