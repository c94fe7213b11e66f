import { splitArguments } from '../body/arguments';
import type { BodyArgument } from '../body/parsed-body';
import { Entries } from './entries';
import type { Facts } from './facts';
import { queryOf } from './request-line';
import { collection, scalar, type Variable } from './variable';

type Source = (facts: Facts) => readonly BodyArgument[];

const fromQuery: Source = ({ request }) => splitArguments(queryOf(request)).arguments;
const fromBody: Source = ({ body }) => body?.parsed?.arguments ?? [];
/** Members of a JSON document are arguments, but none that was posted: libmodsecurity tells them apart so. */
const posted: Source = (facts) => (facts.body?.parsed?.processor === 'JSON' ? [] : fromBody(facts));
const fromBoth: Source = (facts) => [...fromQuery(facts), ...fromBody(facts)];

function values(name: string, lifetime: 'request' | 'body', source: Source): Variable {
  return collection(name, lifetime, (facts) => {
    const found = source(facts);
    return new Entries(
      found.map((argument) => argument.name),
      found.map((argument) => argument.value),
    );
  });
}

function names(name: string, lifetime: 'request' | 'body', source: Source): Variable {
  return collection(name, lifetime, (facts) => {
    const found = source(facts).map((argument) => argument.name);
    return new Entries(found, found);
  });
}

function combinedSize(facts: Facts): Entries {
  const size = fromBoth(facts).reduce((sum, { name, value }) => sum + name.length + value.length, 0);
  return Entries.single(String(size));
}

/** Arguments of the query, then those of the body, in order and with every repetition. */
export const argumentVariables: readonly Variable[] = [
  values('ARGS', 'body', fromBoth),
  names('ARGS_NAMES', 'body', fromBoth),
  values('ARGS_GET', 'request', fromQuery),
  names('ARGS_GET_NAMES', 'request', fromQuery),
  values('ARGS_POST', 'body', posted),
  names('ARGS_POST_NAMES', 'body', posted),
  scalar('ARGS_COMBINED_SIZE', 'body', combinedSize),
  scalar('URLENCODED_ERROR', 'body', ({ request, body }) => {
    const broken =
      splitArguments(queryOf(request)).invalidEscapes ||
      (body?.parsed?.processor === 'URLENCODED' && body.parsed.invalidEscapes);
    return Entries.single(broken ? '1' : '0');
  }),
];
