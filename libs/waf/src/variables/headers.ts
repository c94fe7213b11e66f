import { Entries } from './entries';
import type { HeaderField } from './facts';
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

/** Fields of the request, and the cookies in them. */
export const headerVariables: readonly Variable[] = [
  collection('REQUEST_HEADERS', 'request', ({ request }) => entriesOf(request.fields)),
  collection('REQUEST_HEADERS_NAMES', 'request', ({ request }) => namesOf(request.fields)),
  collection('REQUEST_COOKIES', 'request', ({ cookies }) => entriesOf(cookies)),
  collection('REQUEST_COOKIES_NAMES', 'request', ({ cookies }) => namesOf(cookies)),
];
