import type { RawFields } from '@sallyport/proxy';
import type { Reuse } from './freshness';

/** Fields of a request, by name in lower case. */
export interface FieldReader {
  get(name: string): string | undefined;
}

/** One answer as it is kept. */
export interface StoredAnswer {
  /** Whose URL it answers: tenant, scheme, authority, path and query. */
  readonly resource: string;
  /** Which route gave it, and who may have it. */
  readonly space: string;
  /** Values of the request fields that chose it, by name, as the upstream was told them. */
  readonly chosenBy: readonly (readonly [name: string, value: string | undefined])[];
  readonly status: number;
  readonly fields: RawFields;
  readonly body: Buffer;
  readonly reuse: Reuse;
  /** When the request for it left, and when its head came; milliseconds since the epoch. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** Variants of one answer a space keeps; a caller who varies a chosen field at will must not fill the memory alone. */
const VARIANTS = 16;
/** What the maps and objects of one entry weigh beside its text. */
const ENTRY_BYTES = 512;

const NOTHING: readonly StoredAnswer[] = [];

/** Answers in memory, bounded in bytes; what was used longest ago makes room. */
export class AnswerStore {
  private readonly resources = new Map<string, Map<string, StoredAnswer[]>>();
  /** In the order of their last use: a Set keeps the order of insertion. */
  private readonly used = new Set<StoredAnswer>();
  private weight = 0;

  /** @param maxBytes of all answers with their fields */
  constructor(private readonly maxBytes: number) {}

  get bytes(): number {
    return this.weight;
  }

  get size(): number {
    return this.used.size;
  }

  /** Whether anything is kept for a resource in a space, whatever request fields chose it. */
  has(resource: string, space: string): boolean {
    return this.resources.get(resource)?.has(space) ?? false;
  }

  /** @returns the one that was asked for last, where several match (RFC 9111 §4). */
  find(resource: string, space: string, forwarded: FieldReader): StoredAnswer | undefined {
    let found: StoredAnswer | undefined;
    for (const answer of this.resources.get(resource)?.get(space) ?? NOTHING) {
      if ((!found || answer.askedAt >= found.askedAt) && matches(answer, forwarded)) found = answer;
    }
    if (!found) return undefined;
    this.used.delete(found);
    this.used.add(found);
    return found;
  }

  /**
   * Keeps an answer in the place of the one that the same request would have found, unless that one was asked for later:
   * an answer that was long on its way is older than it looks.
   */
  put(answer: StoredAnswer, forwarded: FieldReader): void {
    const weight = weightOf(answer);
    if (weight > this.maxBytes) return;
    const before = this.find(answer.resource, answer.space, forwarded);
    if (before && before.askedAt > answer.askedAt) return;
    if (before) this.remove(before);
    const spaces = this.resources.get(answer.resource) ?? new Map<string, StoredAnswer[]>();
    const variants = spaces.get(answer.space) ?? [];
    if (variants.length >= VARIANTS) this.remove(variants[0]!);
    this.resources.set(answer.resource, spaces.set(answer.space, variants));
    variants.push(answer);
    this.used.add(answer);
    this.weight += weight;
    while (this.weight > this.maxBytes) this.remove(this.used.values().next().value!);
  }

  remove(answer: StoredAnswer): void {
    if (!this.used.delete(answer)) return;
    this.weight -= weightOf(answer);
    const spaces = this.resources.get(answer.resource)!;
    const variants = spaces.get(answer.space)!;
    variants.splice(variants.indexOf(answer), 1);
    if (variants.length === 0) spaces.delete(answer.space);
    if (spaces.size === 0) this.resources.delete(answer.resource);
  }

  /** Forgets every answer of a resource, of whichever route and caller (RFC 9111 §4.4). */
  forget(resource: string): void {
    for (const variants of [...(this.resources.get(resource)?.values() ?? [])]) {
      for (const answer of [...variants]) this.remove(answer);
    }
  }
}

function matches({ chosenBy }: StoredAnswer, forwarded: FieldReader): boolean {
  for (const [name, value] of chosenBy) if (fieldForMatch(forwarded, name) !== value) return false;
  return true;
}

/** Values are compared without what a list may have between its members (RFC 9111 §4.1). */
export function fieldForMatch(forwarded: FieldReader, name: string): string | undefined {
  return forwarded
    .get(name)
    ?.split(',')
    .map((member) => member.trim())
    .join(',');
}

function weightOf({ resource, space, fields, body, chosenBy }: StoredAnswer): number {
  let weight = ENTRY_BYTES + body.length + resource.length + space.length;
  for (const text of fields) weight += text.length;
  for (const [name, value] of chosenBy) weight += name.length + (value?.length ?? 0);
  return weight;
}
