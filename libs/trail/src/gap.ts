import type { FileSystem, SpoolFile } from './ports';

const GAP_PAGE_BYTES = 4096;

/** Records that the spool did not take. */
export interface Gap {
  /** The uid of the record that will state the gap; fixed with the first loss, so that it is stated once. */
  readonly uid: string;
  /** Milliseconds since the epoch of the first and last loss. */
  readonly first: number;
  readonly last: number;
  /** Losses by `<kind>/<route class>`. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * A page written full when the spool is opened, so that losses can be counted in place when nothing else can be
 * written any more.
 */
export class GapPage {
  /** The gap that is being stated, and the one that is still growing. */
  #closed: Gap | undefined;
  #open: Gap | undefined;
  #writing: Promise<void> | undefined;
  #again = false;

  private constructor(private readonly file: SpoolFile) {}

  /** Opens or makes the page. What it holds was counted by an earlier process and is not yet stated. */
  static async open(files: FileSystem, path: string): Promise<GapPage> {
    const present = await files.readAll(path);
    const whole = present?.length === GAP_PAGE_BYTES;
    const page = new GapPage(await files.open(path, whole ? 'edit' : 'create'));
    [page.#closed, page.#open] = present ? readGaps(present) : [];
    if (!whole) await page.#store();
    return page;
  }

  /** Counts one loss; the page on disk follows by itself, one write at a time. */
  count(label: string, now: number, uid: () => string): void {
    const { uid: known, first, counts }: Gap = this.#open ?? { uid: uid(), first: now, last: now, counts: {} };
    this.#open = { uid: known, first, last: now, counts: { ...counts, [label]: (counts[label] ?? 0) + 1 } };
    this.#write();
  }

  /** One loss that was counted since the last `take` has not come to pass. */
  uncount(label: string): void {
    if (!this.#open) return;
    const { [label]: count = 0, ...others } = this.#open.counts;
    const counts = count > 1 ? { ...others, [label]: count - 1 } : others;
    this.#open = Object.keys(counts).length > 0 ? { ...this.#open, counts } : undefined;
    this.#write();
  }

  /** Gaps that another page has counted. The uid of the first stays: whoever else states it is recognised by that. */
  inherit(gaps: readonly Gap[]): void {
    for (const gap of gaps) this.#open = this.#open ? joined(gap, this.#open) : gap;
    if (gaps.length > 0) this.#write();
  }

  /** Writes what was inherited, of which there is no other page any more. @throws what the disk says. */
  async keep(): Promise<void> {
    await this.#quiet();
    await this.#store();
  }

  /** @param isStating What was taken is on its way into the chain. */
  unstated(isStating: boolean): readonly Gap[] {
    return [isStating ? undefined : this.#closed, this.#open].filter((gap) => gap !== undefined);
  }

  /** The gap to be stated next. What is lost from now on belongs to another one. */
  take(): Gap | undefined {
    if (!this.#closed) {
      this.#closed = this.#open;
      this.#open = undefined;
    }
    return this.#closed;
  }

  /** The gap that was taken stands in the chain. */
  async stated(): Promise<void> {
    this.#closed = undefined;
    this.#write();
    await this.#quiet();
  }

  async close(): Promise<void> {
    await this.#quiet();
    await this.file.close();
  }

  async #quiet(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  #write(): void {
    if (this.#writing) {
      this.#again = true;
      return;
    }
    this.#writing = this.#store()
      // The disk that lost the records may lose the page, too; the counts stay in memory.
      .catch(() => undefined)
      .then(() => {
        this.#writing = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.#write();
      });
  }

  async #store(): Promise<void> {
    await this.file.write([pageOf([this.#closed, this.#open].filter((gap) => gap !== undefined))], 0);
    await this.file.sync();
  }
}

/** How many records a gap stands for. */
export function lossesOf(gap: Gap): number {
  return Object.values(gap.counts).reduce((sum, count) => sum + count, 0);
}

/** JSON filled up with spaces. Labels that would not fit are counted together. */
function pageOf(gaps: readonly Gap[]): Buffer {
  const page = Buffer.alloc(GAP_PAGE_BYTES, ' ');
  const full = JSON.stringify(gaps);
  const short = () => JSON.stringify(gaps.map((gap) => ({ ...gap, counts: { other: lossesOf(gap) } })));
  page.write(full.length <= GAP_PAGE_BYTES ? full : short());
  return page;
}

function joined(one: Gap, other: Gap): Gap {
  // Two states of one gap, where a takeover was broken off and done again.
  if (one.uid === other.uid) return lossesOf(one) > lossesOf(other) ? one : other;
  const counts: Record<string, number> = { ...one.counts };
  for (const [label, count] of Object.entries(other.counts)) counts[label] = (counts[label] ?? 0) + count;
  return { uid: one.uid, first: Math.min(one.first, other.first), last: Math.max(one.last, other.last), counts };
}

/** The gaps of a page that is read and not written to. */
export async function gapsIn(files: FileSystem, path: string): Promise<Gap[]> {
  return readGaps((await files.readAll(path)) ?? Buffer.from('[]'));
}

function readGaps(page: Uint8Array): Gap[] {
  try {
    const gaps = JSON.parse(Buffer.from(page).toString()) as Gap[];
    return gaps.filter(({ uid, counts }) => typeof uid === 'string' && typeof counts === 'object');
  } catch {
    return [];
  }
}
