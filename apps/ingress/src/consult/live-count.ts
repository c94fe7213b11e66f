import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a limit is divided by while nobody has ever said how many ingress processes there are. */
const UNKNOWN = 8;
const MOST = 100_000;

/**
 * How many ingress processes share each limit while the rate-limit service is away: what that service said last, kept on
 * disk for a process that starts while it is away. One that never heard a number takes an eighth of each limit: to believe
 * that it is alone could multiply every limit by the number of processes.
 */
export class LiveCount {
  private known: number;
  private writing: Promise<void> = Promise.resolve();

  /** @param file where the number is kept; undefined: nowhere. */
  constructor(
    private readonly file: string | undefined,
    private readonly failed: (error: unknown) => void = () => {},
  ) {
    this.known = readNumber(file) ?? UNKNOWN;
  }

  get count(): number {
    return this.known;
  }

  note(count: number): void {
    if (count === this.known || count < 1 || count > MOST) return;
    this.known = count;
    if (this.file !== undefined) this.writing = this.writing.then(() => this.write(this.file!, count));
  }

  /** Until what was noted is on disk. */
  async close(): Promise<void> {
    await this.writing;
  }

  private async write(file: string, count: number): Promise<void> {
    if (count !== this.known) return;
    try {
      await mkdir(dirname(file), { recursive: true });
      const next = `${file}.next-${process.pid}`;
      await writeFile(next, `${count}\n`);
      await rename(next, file);
    } catch (error) {
      this.failed(error);
    }
  }
}

function readNumber(file: string | undefined): number | undefined {
  if (file === undefined) return undefined;
  try {
    const count = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(count) && count >= 1 && count <= MOST ? count : undefined;
  } catch {
    return undefined;
  }
}
