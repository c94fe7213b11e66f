import type { TrialKind } from '@sallyport/contracts';
import { compilePlan, type Engine, type Inspection, type InspectionAnswer } from '@sallyport/waf';
import type { InspectionHead, Inspector, MalformedRequest } from '@sallyport/waf';
import { ComparedInspection, type Found } from './compared-inspection';
import type { KillSwitches } from './kills/kill-switches';
import type { RuleSets } from './rulesets/rule-sets';

type Hear = (answer: InspectionAnswer) => void;

/** Two rule sets have seen one request. */
export interface Compared {
  readonly trial: TrialKind;
  readonly route: string;
  readonly requestId: string;
  /** The set that is being tried. */
  readonly candidate: Found;
  readonly inForce: Found;
}

export interface GuardedOptions {
  readonly deciding: Pick<Engine, 'openWith' | 'malformed'>;
  /** Of what it finds nobody hears but the comparison. */
  readonly watching: Pick<Engine, 'openWith'>;
  readonly kills: Pick<KillSwitches, 'planFor' | 'all'>;
  readonly sets: Pick<RuleSets, 'isTrying' | 'rolesFor'>;
  readonly onCompared: (compared: Compared) => void;
}

/**
 * The inspector of this service: rules that were killed are off in the plan of every request that begins, and where a rule set
 * is being tried, it and the one in force see the same.
 */
export class GuardedInspector implements Inspector {
  constructor(private readonly options: GuardedOptions) {}

  open(head: InspectionHead, answer: Hear): Inspection {
    const { deciding, kills, sets } = this.options;
    const plan = kills.planFor(head.plan);
    const asked = plan === head.plan ? head : { ...head, plan };
    const hear = kills.all ? inspectedByNobody(answer) : answer;
    return sets.isTrying ? this.openTried(asked, hear) : deciding.openWith(undefined, asked, hear);
  }

  malformed(request: MalformedRequest, answer: Hear): void {
    const plan = this.options.kills.planFor(request.plan);
    this.options.deciding.malformed(plan === request.plan ? request : { ...request, plan }, answer);
  }

  private openTried(head: InspectionHead, hear: Hear): Inspection {
    const { deciding, watching, sets, onCompared } = this.options;
    const { route = '', requestId } = head;
    const { decides, watches, trial } = sets.rolesFor(compilePlan(head.plan), route);
    if (!watches || !trial) return deciding.openWith(decides, head, hear);
    return new ComparedInspection(
      head,
      (answer) => deciding.openWith(decides, head, answer),
      (answer) => watching.openWith(watches, head, answer),
      hear,
      (decided, watched) => {
        const [candidate, inForce] = trial === 'canary' ? [decided, watched] : [watched, decided];
        onCompared({ trial, route, requestId, candidate, inForce });
      },
    );
  }
}

/** Every rule is off: what passes then passes unseen, and the answer says so. */
function inspectedByNobody(answer: Hear): Hear {
  return (given) => answer({ ...given, inspected: { extent: 'skipped', bytes: 0, why: 'killed' } });
}
