import { splitCookies } from '../body/cookies';
import { foldName } from './fold-name';
import { Entries } from './entries';
import type { Facts, HeaderField } from './facts';
import { collection, type Variable } from './variable';

function entriesOf(fields: readonly HeaderField[]): Entries {
  return new Entries(
    fields.map(({ name }) => name),
    fields.map(({ value }) => value),
  );
}

function namesOf(fields: readonly HeaderField[]): Entries {
  const names = fields.map(({ name }) => name);
  return new Entries(names, names);
}

function cookiesOf({ request }: Facts): HeaderField[] {
  return request.fields.filter(({ name }) => foldName(name) === 'cookie').flatMap(({ value }) => splitCookies(value));
}

/** Fields of the request, and the cookies in them. */
export const headerVariables: readonly Variable[] = [
  collection('REQUEST_HEADERS', 'request', ({ request }) => entriesOf(request.fields)),
  collection('REQUEST_HEADERS_NAMES', 'request', ({ request }) => namesOf(request.fields)),
  collection('REQUEST_COOKIES', 'request', (facts) => entriesOf(cookiesOf(facts))),
  collection('REQUEST_COOKIES_NAMES', 'request', (facts) => namesOf(cookiesOf(facts))),
];
