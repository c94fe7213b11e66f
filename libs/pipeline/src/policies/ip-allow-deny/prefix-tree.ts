/** An address as whole numbers: 32-bit words, one for IPv4 and four for IPv6. */
export type AddressWords = readonly number[];

/** A range of addresses: the words of its first address, and how many leading bits count. */
export interface AddressRange {
  readonly words: AddressWords;
  readonly bits: number;
}

/**
 * Reads an address in any of its spellings; a mapped IPv4 address (RFC 4291 §2.5.5.2) is its IPv4 address.
 * @returns undefined for what is no address; a zone (`%eth0`) is left out.
 */
export function parseAddress(text: string): AddressWords | undefined {
  if (!text.includes(':')) return parseV4(text);
  const groups = parseV6(text);
  if (!groups) return undefined;
  const words = [0, 2, 4, 6].map((at) => ((groups[at]! << 16) | groups[at + 1]!) >>> 0);
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff ? [words[3]!] : words;
}

/**
 * Reads `address` or `address/bits`.
 * @returns undefined for anything else, also when bits beyond the prefix are set: a typing error more often than a wish.
 */
export function parseRange(text: string): AddressRange | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const words = rest.length > 0 || address.includes('%') ? undefined : parseAddress(address);
  if (!words || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return undefined;
  const width = words.length * 32;
  // A mapped range is written with the width of IPv6.
  const mapped = words.length === 1 && address.includes(':');
  const bits = prefix === undefined ? width : Number(prefix) - (mapped ? 96 : 0);
  if (bits < 0 || bits > width) return undefined;
  return words.every((word, at) => (word & ~maskOf(bits - at * 32)) === 0) ? { words, bits } : undefined;
}

function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : ~(0xffffffff >>> bits);
}

function parseV4(text: string): AddressWords | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let word = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    word = word * 256 + Number(part);
  }
  return [word];
}

function parseV6(text: string): number[] | undefined {
  const bare = text.split('%')[0]!;
  const dotted = bare.includes('.') ? bare.slice(bare.lastIndexOf(':') + 1) : undefined;
  const v4 = dotted === undefined ? undefined : parseV4(dotted)?.[0];
  if (dotted !== undefined && v4 === undefined) return undefined;
  const plain =
    v4 === undefined
      ? bare
      : `${bare.slice(0, -dotted!.length)}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`;
  const halves = plain.split('::');
  if (halves.length > 2) return undefined;
  const [left, right] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const given = left!.length + (right?.length ?? 0);
  if (right ? given > 7 : given !== 8) return undefined;
  const groups = [...left!, ...Array<string>(8 - given).fill('0'), ...(right ?? [])];
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : undefined;
}

const NONE = 0;

/**
 * Ranges as a binary tree in two flat arrays: a look-up takes one step a bit of the longest range on its way, whatever
 * the number of ranges. Ten thousand ranges are some megabytes at most, and are built once a configuration.
 */
export class PrefixTree {
  private readonly v4: BitTree;
  private readonly v6: BitTree;

  constructor(ranges: readonly AddressRange[]) {
    this.v4 = new BitTree(ranges.filter(({ words }) => words.length === 1));
    this.v6 = new BitTree(ranges.filter(({ words }) => words.length === 4));
  }

  /** Whether one of the ranges holds the address. */
  has(address: AddressWords): boolean {
    return (address.length === 1 ? this.v4 : this.v6).has(address);
  }
}

/** Two numbers a node, the places of its children; 0: no child, -1: everything below belongs to a range. */
class BitTree {
  private readonly nodes: Int32Array;

  constructor(ranges: readonly AddressRange[]) {
    const nodes: number[] = [NONE, NONE];
    let whole = false;
    for (const range of ranges) {
      if (range.bits === 0) whole = true;
      else insert(nodes, range);
    }
    this.nodes = Int32Array.from(whole ? [-1, -1] : nodes);
  }

  has(address: AddressWords): boolean {
    let node = 0;
    for (let word = 0; word < address.length; word++) {
      const bits = address[word]!;
      for (let at = 31; at >= 0; at--) {
        node = this.nodes[node + ((bits >>> at) & 1)]!;
        if (node <= NONE) return node < NONE;
      }
    }
    return false;
  }
}

function insert(nodes: number[], { words, bits }: AddressRange): void {
  let node = 0;
  for (let bit = 0; bit < bits; bit++) {
    const edge = node + ((words[bit >> 5]! >>> (31 - (bit & 31))) & 1);
    if (nodes[edge]! < NONE) return; // a wider range holds this one
    if (bit === bits - 1) {
      nodes[edge] = -1;
      return;
    }
    if (nodes[edge] === NONE) {
      nodes[edge] = nodes.length;
      nodes.push(NONE, NONE);
    }
    node = nodes[edge]!;
  }
}
