import { subjects, type Json } from '@sallyport/contracts';
import type { Runtime } from '@sallyport/platform';
import { controlReported } from '@sallyport/trail';
import type { ExpiredExclusion } from './expired-exclusions';
import type { KillSwitch } from './kills/kill-switches';
import { describeProblem, type Refused } from './rulesets/rule-sets';

const SYSTEM = 'system';

/** Tells everybody who should know of a change of the rules: the log, the bus, the audit trail and the metrics. */
export function tellRules({ app, bus, clock, logger, metrics, random, trail }: Runtime): {
  readonly onActivated: (name: string, before: string | undefined) => void;
  readonly onRefused: (refused: Refused) => void;
  readonly onKilled: (kill: KillSwitch) => void;
  readonly onExpired: (expired: ExpiredExclusion) => void;
} {
  let active = '';
  const named = new Set<string>();
  const info = metrics.gauge('sallyport_waf_ruleset_info', '1 for the rule set in force.', ['ruleset']);
  const report = (subject: string, what: string, state: 'ok' | 'failed', detail: Record<string, Json>): void => {
    trail.append(controlReported({ now: clock.now(), random, tenant: SYSTEM, app, what, state, detail }));
    const fact = Buffer.from(JSON.stringify({ at: new Date(clock.now()).toISOString(), ...detail }));
    // Whoever misses it finds it in the audit trail.
    bus.publish(subject, fact).catch(() => undefined);
  };
  return {
    onActivated(name, before) {
      active = name;
      if (!named.has(name)) info.observe(() => (active === name ? 1 : 0), { ruleset: name });
      named.add(name);
      logger.info({ ruleset: name, before }, 'a rule set is in force');
      report(subjects.wafRuleSetActivated, 'ruleset-activated', 'ok', { ruleset: name, before: before ?? null });
    },
    onRefused({ name, origin, problem }) {
      const text = describeProblem(problem);
      logger.error({ ruleset: name, origin, problem: text }, 'a rule set is refused, and the one in force stays');
      report(subjects.wafRuleSetRefused, 'ruleset-refused', 'failed', { ruleset: name, problem: text });
    },
    onExpired(expired) {
      logger.warn({ ...expired }, 'an exclusion has ended, and the rules it kept off a route are back');
      report(subjects.wafExclusionExpired, 'exclusion-expired', 'failed', { ...expired });
    },
    onKilled({ id, what, reason, by, until }) {
      logger.warn({ id, what, reason, by, until }, 'rules are switched off');
      report(subjects.wafRuleKilled, 'rule-killed', 'failed', { id, what, reason, by, until });
    },
  };
}
