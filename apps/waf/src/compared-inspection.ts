import { lastPointOf, type Inspection, type InspectionAnswer, type InspectionHead } from '@sallyport/waf';

type Hear = (answer: InspectionAnswer) => void;

/** What one of two rule sets has made of a request. */
export interface Found {
  /** Name of the rule set. */
  readonly ruleset: string;
  readonly rules: ReadonlySet<number>;
  readonly refused: boolean;
  /** Whether it has said all that it will: one that was shown no more, since the other has refused, has not. */
  readonly isDone: boolean;
}

/** Opens an inspection of the same request by one of the rule sets. */
export type Opening = (answer: Hear) => Inspection;

/** Shows two rule sets the same, of which one decides, and tells what each has found when both have said it. */
export class ComparedInspection implements Inspection {
  private readonly watching: Side;
  private readonly deciding: Side;
  private isTold = false;

  /** @param tell told once */
  constructor(
    head: Pick<InspectionHead, 'head' | 'plan'>,
    decides: Opening,
    watches: Opening,
    answer: Hear,
    private readonly tell: (decided: Found, watched: Found) => void,
  ) {
    const lastPoint = lastPointOf(head);
    this.watching = new Side(lastPoint);
    this.deciding = new Side(lastPoint);
    // The one that watches is shown everything first: what is decided may be the end of the exchange.
    this.watching.open(watches, () => this.compare());
    this.deciding.open(decides, (given) => {
      answer(given);
      this.compare();
    });
  }

  body(chunk: Uint8Array): boolean {
    return this.wanted((inspection) => inspection.body(chunk));
  }

  bodyEnd(): void {
    this.show((inspection) => inspection.bodyEnd());
  }

  response(head: Parameters<Inspection['response']>[0]): void {
    this.show((inspection) => inspection.response(head));
  }

  responseBody(chunk: Uint8Array): boolean {
    return this.wanted((inspection) => inspection.responseBody(chunk));
  }

  responseEnd(): void {
    this.show((inspection) => inspection.responseEnd());
  }

  close(outcome: string): void {
    this.show((inspection) => inspection.close(outcome));
    this.told();
  }

  private show(step: (inspection: Inspection) => void): void {
    step(this.watching.inspection);
    step(this.deciding.inspection);
  }

  /** Either may want more of a body when the other has seen enough. */
  private wanted(step: (inspection: Inspection) => boolean): boolean {
    const byWatching = step(this.watching.inspection);
    return step(this.deciding.inspection) || byWatching;
  }

  /** A refusal ends the exchange; otherwise both are waited for. */
  private compare(): void {
    if (this.deciding.refused || (this.deciding.isDone && this.watching.isDone)) this.told();
  }

  private told(): void {
    if (this.isTold) return;
    this.isTold = true;
    // Whoever is gone before either has looked was seen by none of them.
    if (this.deciding.ruleset === '' || this.watching.ruleset === '') return;
    this.tell(this.deciding, this.watching);
  }
}

class Side implements Found {
  readonly rules = new Set<number>();
  ruleset = '';
  refused = false;
  isDone = false;
  inspection!: Inspection;

  constructor(private readonly lastPoint: InspectionAnswer['point']) {}

  /** @param heard told of each answer, when it is noted */
  open(opening: Opening, heard: Hear): void {
    this.inspection = opening((given) => {
      this.ruleset = given.ruleset;
      for (const { rule } of given.hits) this.rules.add(rule);
      this.refused ||= given.verdict === 'refuse';
      this.isDone = this.refused || given.point === this.lastPoint;
      heard(given);
    });
  }
}
