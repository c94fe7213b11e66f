import type { MergedAs } from './metrics';

/** What one process says about itself: a page in the text format of Prometheus, and the gauges that are not summed. */
export interface MetricsPage {
  readonly text: string;
  readonly merges: Readonly<Record<string, MergedAs>>;
}

interface Family {
  readonly kind: string;
  /** The lines that introduce it. */
  readonly head: readonly string[];
  /** Value by series: name and labels as they are written. */
  readonly series: Map<string, number>;
}

const combine: Readonly<Record<MergedAs, (one: number, other: number) => number>> = {
  sum: (one, other) => one + other,
  max: Math.max,
  min: Math.min,
};

/**
 * One exposition over the processes of a group. Counters and histograms are added up and go on from where a process that
 * has ended left off: a counter that fell would look like a restart of everything, and rates would jump.
 */
export class MergedMetrics {
  private readonly pages = new Map<number, MetricsPage>();
  /** Counters and histograms of the processes that have ended. */
  private departed = new Map<string, Family>();

  /** @param member number of a process in the group; its page takes the place of the one before. */
  update(member: number, page: MetricsPage): void {
    this.pages.set(member, page);
  }

  /** A process has ended: what it counted stays, what it was goes. */
  depart(member: number): void {
    const page = this.pages.get(member);
    if (!page) return;
    this.pages.delete(member);
    for (const [name, family] of familiesOf(page.text)) {
      if (family.kind !== 'gauge') mergeFamily(this.departed, name, family, 'sum');
    }
  }

  /** @param own the page of the process that merges. */
  exposition(own?: MetricsPage): string {
    const merged = new Map([...this.departed].map(([name, family]) => [name, copyOf(family)]));
    for (const { text, merges } of own ? [own, ...this.pages.values()] : this.pages.values()) {
      for (const [name, family] of familiesOf(text)) mergeFamily(merged, name, family, merges[name] ?? 'sum');
    }
    return textOf(merged);
  }
}

function mergeFamily(into: Map<string, Family>, name: string, family: Family, as: MergedAs): void {
  const known = into.get(name);
  if (!known) return void into.set(name, copyOf(family));
  for (const [series, value] of family.series) {
    const before = known.series.get(series);
    known.series.set(series, before === undefined ? value : combine[as](before, value));
  }
}

function copyOf({ kind, head, series }: Family): Family {
  return { kind, head, series: new Map(series) };
}

/** Reads a page that we have written ourselves: `# TYPE` comes before the series of its family. */
function familiesOf(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let help: string[] = [];
  let family: Family | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('# TYPE ')) {
      const [, , name, kind] = line.split(' ');
      family = { kind: kind!, head: [...help, line], series: new Map() };
      families.set(name!, family);
      help = [];
    } else if (line.startsWith('# HELP ')) {
      help = [line];
    } else if (line !== '' && !line.startsWith('#')) {
      const end = line.lastIndexOf(' ');
      family?.series.set(line.slice(0, end), Number(line.slice(end + 1).replace('Inf', 'Infinity')));
    }
  }
  return families;
}

function textOf(families: ReadonlyMap<string, Family>): string {
  const lines: string[] = [];
  for (const { head, series } of families.values()) {
    lines.push(...head);
    for (const [name, value] of series) lines.push(`${name} ${String(value).replace('Infinity', 'Inf')}`);
  }
  return `${lines.join('\n')}\n`;
}
