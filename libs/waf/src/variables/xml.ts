import { Entries } from './entries';
import { scalar, type Variable } from './variable';

/** The two paths into an XML document that rules use; others are refused when rules are compiled. */
export const xmlVariables: readonly Variable[] = [
  scalar('XML:/*', 'body', ({ body }) => {
    const xml = body?.parsed?.xml;
    return xml ? Entries.single(xml.text) : Entries.none;
  }),
  scalar('XML://@*', 'body', ({ body }) => new Entries(undefined, body?.parsed?.xml?.attributes ?? [])),
];
