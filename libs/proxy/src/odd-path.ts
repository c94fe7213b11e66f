import { isRefusal, refuse, type Refusal } from '@sallyport/contracts';
import { Oddity, REFUSED_ODDITIES, slashesDecoded, withoutParameters } from './canonical-path';
import type { Bounds } from './limits';
import type { RouteQuestion, RouteTable } from './route-table';

/** A path of a request with the bits of `Oddity` it has. */
export interface OddQuestion extends RouteQuestion {
  readonly oddities: number;
}

/** What a route takes of odd paths. */
export type TakesOddPaths = Pick<Bounds, 'mergeSlashes' | 'encodedSlash'> & {
  /** Whether segments may carry parameters: not where a policy judges the path. */
  readonly takesParameters: boolean;
};

const malformed = (reason: string): Refusal => refuse('REQUEST_MALFORMED', { reason });

/** @returns why a path may not lead to anything but a route that says it takes such paths. */
export function refusedWithoutRoute({ oddities }: Pick<OddQuestion, 'oddities'>): Refusal | undefined {
  if ((oddities & REFUSED_ODDITIES) === 0) return undefined;
  return malformed(oddities & Oddity.mergedSlashes ? 'the path holds an empty segment' : 'the path escapes a slash');
}

/**
 * Judges a path that origins read in different ways against the route it has matched: the route must take such paths,
 * and every such reading must lead to that same route, or the path would be a way around the policies of another.
 */
export function judgeOddPath<Route>(
  question: OddQuestion,
  table: RouteTable<Route>,
  route: Route,
  takes: TakesOddPaths,
): Refusal | undefined {
  const { oddities, path } = question;
  if (oddities & Oddity.mergedSlashes && !takes.mergeSlashes) return refusedWithoutRoute(question);
  if (oddities & Oddity.encodedSlash && takes.encodedSlash !== 'keep') return refusedWithoutRoute(question);
  if (oddities & Oddity.parameters && !takes.takesParameters) return malformed('a segment of the path has parameters');
  const decoded = slashesDecoded(path);
  const readings = [decoded, withoutParameters(path), withoutParameters(decoded)];
  const leadsAstray = readings.some((reading) => {
    const match = table.match({ host: question.host, method: question.method, path: reading });
    return isRefusal(match) || match.route !== route;
  });
  return leadsAstray ? malformed('the path leads to another route when it is read in another way') : undefined;
}
