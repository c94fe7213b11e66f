import type { BodyArgument } from '../body/parsed-body';
import type { Bytes } from '../bytes';
import { Entries } from './entries';
import type { Facts } from './facts';
import { foldName } from './fold-name';
import { collection, scalar, type Variable } from './variable';

type Source = (facts: Facts) => readonly BodyArgument[];

const fromQuery: Source = ({ query }) => query.arguments;
const fromBody: Source = ({ body }) => body?.parsed?.arguments ?? [];
/** Members of a JSON document are arguments, but none that was posted: libmodsecurity tells them apart so. */
const posted: Source = (facts) => (facts.body?.parsed?.processor === 'JSON' ? [] : fromBody(facts));

function fromBoth(facts: Facts): readonly BodyArgument[] {
  const query = fromQuery(facts);
  const body = fromBody(facts);
  if (body.length === 0) return query;
  return query.length === 0 ? body : [...query, ...body];
}

function values(name: string, lifetime: 'request' | 'body', source: Source): Variable {
  return collection(name, lifetime, (facts) => {
    const found = source(facts);
    return new Entries(
      found.map((argument) => argument.name),
      found.map((argument) => argument.value),
      () => foldedNamesOf(found),
    );
  });
}

function names(name: string, lifetime: 'request' | 'body', source: Source): Variable {
  return collection(name, lifetime, (facts) => {
    const found = source(facts);
    const own = found.map((argument) => argument.name);
    return new Entries(own, own, () => foldedNamesOf(found));
  });
}

function foldedNamesOf(found: readonly BodyArgument[]): readonly Bytes[] {
  return found.map(({ name, foldedName }) => foldedName ?? foldName(name));
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
  scalar('URLENCODED_ERROR', 'body', ({ query, body }) => {
    const isForm = body?.parsed?.processor === 'URLENCODED';
    return Entries.flag(query.invalidEscapes || (isForm && body.parsed.invalidEscapes));
  }),
];
