import type { Entry } from './entry';
import type { Gap } from './gap';
import { recordFlags, type SpoolRecord } from './segment';
import type { Receipt } from './trail';

/** What happened to the spool itself. Each is worth a record of its own. */
export type SpoolNote =
  /** A chain begins: the folder was empty, or its last chain ends with `lastSound`, by a damage or because its owner is gone. */
  | { readonly what: 'chain-begun'; readonly chain: string; readonly after?: { chain: string; lastSound: number } }
  | { readonly what: 'torn-tail'; readonly bytes: number }
  | { readonly what: 'damage'; readonly chain: string; readonly lastSound: number; readonly salvaged: number }
  | { readonly what: 'sync-failed' | 'write-failed'; readonly error: string }
  /** The folder is gone, or another process has it, with the chain; `again` records were written into the next one. */
  | { readonly what: 'folder-lost'; readonly chain: string; readonly again: number }
  | { readonly what: 'gap'; readonly gap: Gap };

/** Who is told what happens to the spool. */
export interface SpoolWatcher {
  /** Writes a note into a trail. The receipt of a gap says when its count may be forgotten. */
  note(note: SpoolNote): Receipt | undefined;
  /**
   * A record from behind a damage or from a lost folder, as it is to be written again. @returns undefined for one that cannot
   * be read.
   */
  entryOf(record: SpoolRecord): Entry | undefined;
}

/** Work beside the records, which is tried again when it fails. */
export type Chore = 'reserve' | 'trim' | 'turn';

/** What is told of a spool: kept until somebody watches, and then handed on. */
export class SpoolNotes {
  #watcher: SpoolWatcher | undefined;
  readonly #untold: SpoolNote[] = [];
  readonly #troubles = new Set<Chore>();

  get isWatched(): boolean {
    return this.#watcher !== undefined;
  }

  watch(watcher: SpoolWatcher): void {
    this.#watcher = watcher;
    for (const note of this.#untold.splice(0)) watcher.note(note);
  }

  tell(note: SpoolNote): Receipt | undefined {
    if (this.#watcher) return this.#watcher.note(note);
    this.#untold.push(note);
    return undefined;
  }

  entryOf(record: SpoolRecord): Entry | undefined {
    if (this.#watcher) return this.#watcher.entryOf(record);
    const control = (record.flags & recordFlags.control) !== 0;
    return { uid: '', label: 'other', control, body: () => record.body };
  }

  /** Tells that a chore failed, once until it is done: a note is a record, which brings new chores with it. */
  failed(chore: Chore, error: unknown): void {
    if (this.#troubles.has(chore)) return;
    this.#troubles.add(chore);
    this.tell({ what: 'write-failed', error: messageOf(error) });
  }

  done(chore: Chore): void {
    this.#troubles.delete(chore);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
