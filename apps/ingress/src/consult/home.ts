/** A replica, as far as its place among the others goes. */
export interface Placed {
  readonly address: string;
}

/**
 * The replica at which a key lives: of all known ones the one whose address and the key together weigh most (rendezvous
 * hashing). Every ingress finds the same one, and when a replica comes or goes only the keys move that live at it.
 */
export function homeOf<Replica extends Placed>(key: string, replicas: Iterable<Replica>): Replica | undefined {
  const hash = mix(key, 0x811c9dc5);
  let best: Replica | undefined;
  let most = -1;
  for (const replica of replicas) {
    const weight = finish(mix(replica.address, hash));
    if (weight < most || (weight === most && replica.address > best!.address)) continue;
    most = weight;
    best = replica;
  }
  return best;
}

/** FNV-1a over UTF-16 units. */
function mix(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}

/** Spreads the last differing bits over the whole word, which FNV-1a does not. */
function finish(hash: number): number {
  let word = hash ^ (hash >>> 16);
  word = Math.imul(word, 0x85ebca6b);
  word ^= word >>> 13;
  word = Math.imul(word, 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
