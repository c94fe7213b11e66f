import { refuse, RefusalError } from '@sallyport/contracts';
import type { AdminActor, Runtime } from '@sallyport/platform';
import { changeCommitted } from '@sallyport/trail';
import type { Comparisons } from '../comparisons';
import type { KillSwitch, KillSwitches } from '../kills/kill-switches';
import { isOfRoutes, type Activation, type RuleSets, type Stage } from '../rulesets/rule-sets';

export const ADMINISTRATION = Symbol('Administration');

const SYSTEM = 'system';

/** What an administrator can change of inspection; each change is on record with whoever made it. */
export class Administration {
  constructor(
    readonly sets: RuleSets,
    readonly kills: KillSwitches,
    readonly comparisons: Comparisons,
    /** Ids of the routes there are. */
    private readonly routes: () => readonly string[],
    private readonly runtime: Pick<Runtime, 'trail' | 'clock' | 'random'>,
  ) {}

  /** @throws RefusalError when there is no such set, when it is refused, or when there is no route of a name. */
  async activate(name: string, how: Activation, actor: AdminActor): Promise<Stage> {
    const known = this.routes();
    for (const start of how.routes ?? []) {
      if (known.some((route) => isOfRoutes(route, [start]))) continue;
      throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'route', name: start }));
    }
    const before = this.sets.current;
    const after = await this.sets.activate(name, how);
    this.record(actor, 'update', { type: 'waf-ruleset', id: name, name }, before, after);
    return after;
  }

  async rollback(actor: AdminActor): Promise<Stage> {
    const before = this.sets.current;
    const after = await this.sets.rollback();
    this.record(actor, 'update', { type: 'waf-ruleset', id: after.active, name: after.active }, before, after);
    return after;
  }

  async kill(
    { what, seconds, reason }: { what: string; seconds: number; reason: string },
    actor: AdminActor,
  ): Promise<KillSwitch> {
    const kill = await this.kills.kill(what, seconds * 1000, reason, actor.name);
    this.record(actor, 'create', { type: 'waf-kill', id: kill.id, name: what }, undefined, kill, reason);
    return kill;
  }

  /** @throws RefusalError when there is none of this id. */
  async endKill(id: string, actor: AdminActor): Promise<KillSwitch> {
    const kill = await this.kills.end(id);
    if (!kill) throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'kill switch', name: id }));
    this.record(actor, 'delete', { type: 'waf-kill', id, name: kill.what }, kill, undefined);
    return kill;
  }

  private record(
    actor: AdminActor,
    action: 'create' | 'update' | 'delete',
    object: { type: string; id: string; name: string },
    before: Stage | KillSwitch | undefined,
    after: Stage | KillSwitch | undefined,
    reason?: string,
  ): void {
    const { clock, random, trail } = this.runtime;
    const states = { ...(before && { before: { ...before } }), ...(after && { after: { ...after } }) };
    const facts = { now: clock.now(), random, tenant: SYSTEM, actor, object, action, ...states };
    trail.append(changeCommitted(reason === undefined ? facts : { ...facts, reason }));
  }
}
