import type { Inspection, InspectionAnswer, InspectionHead, Inspector, MalformedRequest } from '@sallyport/waf';
import type { KillSwitches } from './kills/kill-switches';

type Hear = (answer: InspectionAnswer) => void;

/** What a set that decides nothing would have done otherwise. */
export type Difference = 'none' | 'more' | 'fewer' | 'other';

export interface Shadow {
  readonly inspector: Inspector;
  /** Whether a set is in the shadow at this moment. */
  active(): boolean;
  compared(difference: Difference): void;
}

/**
 * The inspector of this service: rules that were killed are off in the plan of every request that begins, and a set in the
 * shadow sees what the one in force sees.
 */
export class GuardedInspector implements Inspector {
  constructor(
    private readonly inspector: Inspector,
    private readonly kills: Pick<KillSwitches, 'planFor' | 'all'>,
    private readonly shadow: Shadow,
  ) {}

  open(head: InspectionHead, answer: Hear): Inspection {
    const plan = this.kills.planFor(head.plan);
    const asked = plan === head.plan ? head : { ...head, plan };
    const hear = this.kills.all ? inspectedByNobody(answer) : answer;
    if (!this.shadow.active()) return this.inspector.open(asked, hear);
    return new ShadowedInspection(this.inspector, this.shadow, asked, hear);
  }

  malformed(request: MalformedRequest, answer: Hear): void {
    const plan = this.kills.planFor(request.plan);
    this.inspector.malformed(plan === request.plan ? request : { ...request, plan }, answer);
  }
}

/** Every rule is off: what passes then passes unseen, and the answer says so. */
function inspectedByNobody(answer: Hear): Hear {
  return (given) => answer({ ...given, inspected: { extent: 'skipped', bytes: 0, why: 'killed' } });
}

/** Shows two rule sets the same, and compares what they found when both have said it. */
class ShadowedInspection implements Inspection {
  private readonly found: Set<number> = new Set();
  private readonly foundInShadow: Set<number> = new Set();
  private readonly ofShadow: Inspection;
  private readonly decided: Inspection;

  constructor(
    inspector: Inspector,
    private readonly shadow: Shadow,
    head: InspectionHead,
    answer: Hear,
  ) {
    // What is not in force refuses nothing, and sees all there is to see.
    const watching = { ...head, plan: head.plan.replace(/:block(?=:|$)/, ':detect') };
    this.ofShadow = shadow.inspector.open(watching, ({ hits }) => this.note(this.foundInShadow, hits));
    this.decided = inspector.open(head, (given) => {
      this.note(this.found, given.hits);
      answer(given);
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
    this.shadow.compared(differenceOf(this.found, this.foundInShadow));
  }

  /** The shadow first: what is decided may be the end of the exchange. */
  private show(step: (inspection: Inspection) => void): void {
    step(this.ofShadow);
    step(this.decided);
  }

  /** Either may want more of a body when the other has seen enough. */
  private wanted(step: (inspection: Inspection) => boolean): boolean {
    const inShadow = step(this.ofShadow);
    return step(this.decided) || inShadow;
  }

  private note(found: Set<number>, hits: InspectionAnswer['hits']): void {
    for (const { rule } of hits) found.add(rule);
  }
}

function differenceOf(found: ReadonlySet<number>, inShadow: ReadonlySet<number>): Difference {
  const more = [...inShadow].some((rule) => !found.has(rule));
  const fewer = [...found].some((rule) => !inShadow.has(rule));
  if (more && fewer) return 'other';
  return more ? 'more' : fewer ? 'fewer' : 'none';
}
