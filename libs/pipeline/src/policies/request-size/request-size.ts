import { z } from 'zod';
import { refuse, type Field } from '@sallyport/contracts';
import { definePolicy, pass } from '../../policy';

const size = z.int().min(1);

const tooLarge = (reason: string): ReturnType<typeof refuse> => refuse('HEADERS_TOO_LARGE', { reason });

export const requestSize = definePolicy({
  id: 'request-size',
  summary: 'Bounds each dimension of a request on its own: fields, their size, the target, the query and the body.',
  config: z
    .strictObject({
      /** How many fields. */
      fields: size.max(1000).optional(),
      /** Name and value of one field, in bytes. */
      fieldBytes: size.max(1024 * 1024).optional(),
      /** All fields together, with `: ` and line ends, in bytes. */
      headerBytes: size.max(1024 * 1024).optional(),
      /** The whole target as received, in bytes. */
      targetBytes: size.max(1024 * 1024).optional(),
      queryParameters: size.max(10_000).optional(),
      bodyBytes: z
        .int()
        .min(0)
        .max(1024 * 1024 * 1024)
        .optional(),
    })
    .refine((given) => Object.keys(given).length > 0, 'bound at least one dimension'),
  example: { fields: 40, headerBytes: 8192, targetBytes: 2048, queryParameters: 20, bodyBytes: 65_536 },
  compile: ({ fields, fieldBytes, headerBytes, targetBytes, queryParameters, bodyBytes }) => ({
    limitsBody: bodyBytes !== undefined,
    admit: ({ request, exchange }) => {
      if (targetBytes !== undefined && request.rawTarget.length > targetBytes)
        return refuse('URI_TOO_LONG', { maxBytes: targetBytes });
      if (queryParameters !== undefined && parametersIn(request.query) > queryParameters)
        return refuse('REQUEST_MALFORMED', { reason: `the query has more than ${queryParameters} parameters` });
      if (fields !== undefined && request.fields.length > fields) return tooLarge(`more than ${fields} fields`);
      if (fieldBytes !== undefined && request.fields.some((field) => weightOf(field) > fieldBytes))
        return tooLarge(`one field is longer than ${fieldBytes} bytes`);
      if (
        headerBytes !== undefined &&
        request.fields.reduce((sum, field) => sum + weightOf(field) + 4, 0) > headerBytes
      )
        return tooLarge(`all fields together are longer than ${headerBytes} bytes`);
      if (bodyBytes !== undefined) {
        if ((request.contentLength ?? 0) > bodyBytes) return refuse('BODY_TOO_LARGE', { maxBytes: bodyBytes });
        exchange.capBody(bodyBytes);
      }
      return pass;
    },
  }),
});

function weightOf({ name, value }: Field): number {
  return name.length + value.length;
}

function parametersIn(query: string): number {
  if (query === '') return 0;
  let found = 1;
  for (let at = query.indexOf('&'); at >= 0; at = query.indexOf('&', at + 1)) found++;
  return found;
}
