import { compilePlan, type Adjustment, type Exclusion, type Plan, type Program, type RuleSet } from '@sallyport/waf';
import type { RuleSetText } from './rule-files';

/** An API is called by more methods than a site for browsers, which CRS has in mind until it is told otherwise. */
const API_METHODS = 'GET HEAD POST OPTIONS PUT PATCH DELETE';

/** Media types of APIs beside those that CRS allows by itself. */
const API_TYPES =
  '|application/x-www-form-urlencoded| |multipart/form-data| |text/xml| |application/xml| |application/soap+xml| ' +
  '|application/json| |application/merge-patch+json| |application/json-patch+json| |application/vnd.api+json| ' +
  '|application/graphql| |application/x-ndjson| |application/cloudevents+json| |application/octet-stream| ' +
  '|text/plain| |application/grpc|';

const plainPlan = compilePlan('structural:block');

/**
 * The program by which a plan runs a rule set.
 * @param now milliseconds since the epoch: exclusions end
 */
export function programOf(
  ruleSet: RuleSet,
  text: Pick<RuleSetText, 'ownMethods'>,
  plan: Plan = plainPlan,
  now = 0,
): Program {
  return ruleSet.adjusted(adjustmentOf(text, plan, now));
}

/** What a plan changes about a rule set. @param now as for {@link programOf} */
export function adjustmentOf({ ownMethods }: Pick<RuleSetText, 'ownMethods'>, plan: Plan, now: number): Adjustment {
  const { profile, paranoia, threshold, body, exclusions, killed } = plan;
  // Whoever has a profile of the own wants the setup as it is.
  const forApis = !ownMethods && profile !== 'own';
  return {
    ...(paranoia && { paranoia }),
    ...(threshold && { threshold }),
    variables: {
      strict_bodies: body.strict ? '1' : '0',
      inspect_prompts: plan.prompts ? '1' : '0',
      ...(forApis && { allowed_methods: API_METHODS, allowed_request_content_type: API_TYPES }),
    },
    exclusions: exclusions.filter((exclusion) => holds(exclusion, now)),
    killed: killed.filter((exclusion) => holds(exclusion, now)),
  };
}

function holds({ expires }: Exclusion, now: number): boolean {
  return expires === undefined || expires > now;
}
