import { z } from 'zod';

/** OCSF dispositions by the names we accept for them. */
export const dispositions = {
  allowed: 1,
  blocked: 2,
  detected: 15,
  logged: 17,
  challenge: 23,
  unauthorized: 26,
  error: 27,
} as const;

/** No record holds U+0000, and Postgres takes none in a question either. */
const word = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\0]*$/, 'no record holds such a character');
const moment = z.iso.datetime({ offset: true, error: 'expected a moment such as 2026-11-20T08:00:00Z' });

/** The filters of a search. Unknown names are refused: a misspelt filter must not look like a wide answer. */
export const searchRequest = z.strictObject({
  who: word.optional().describe('Consumer or application by name, or an actor reference as records show it.'),
  what: z
    .string()
    .regex(/^[a-z][a-z-]*(\.[a-z][a-z-]*)?$/, 'expected a kind such as request.completed, or its first word')
    .optional(),
  resource: word.optional().describe('Path of a request, or <type>/<id> of a changed object.'),
  disposition: z.enum(Object.keys(dispositions) as [keyof typeof dispositions]).optional(),
  status: z
    .string()
    .regex(/^[1-5](\d\d|xx)$/, 'expected a status such as 404, or a class such as 4xx')
    .optional(),
  route: word.optional(),
  from: moment.optional().describe('Default: 24 hours before `to`.'),
  to: moment.optional().describe('Exclusive. Default: now.'),
  trace: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'expected 32 hexadecimal digits')
    .optional(),
  request: word.optional().describe('Request id.'),
  cursor: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export type SearchRequest = z.infer<typeof searchRequest>;
