import { z } from 'zod';
import { refuse } from '@sallyport/contracts';
import { isEditable } from '../../draft';
import { compilePathTemplate, pathTemplateFault } from '../../path-template';
import { definePolicy, reply, type PolicyInput, type Reply } from '../../policy';
import { examplesOf } from './examples';

const path = z
  .string()
  .max(1024)
  .superRefine((text, context) => {
    const fault = pathTemplateFault(text);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, input: text });
  });

const fields = z
  .record(
    z
      .string()
      .transform((name) => name.toLowerCase())
      .refine(isEditable, 'framing and fields in the name of the gateway are not to be mocked'),
    z.string().max(4096),
  )
  .default({});

const staticReply = z
  .strictObject({
    /** Left out: any method. */
    method: z
      .string()
      .regex(/^[A-Z]{1,32}$/)
      .optional(),
    /** Below the path of the route, such as `/{id}`; left out: any path. */
    path: path.optional(),
    status: z.int().min(200).max(599).default(200),
    fields,
    /** Sent as it is. */
    body: z
      .string()
      .max(1024 * 1024)
      .optional(),
    /** Sent as JSON. */
    json: z.json().optional(),
  })
  .refine(({ body, json }) => body === undefined || json === undefined, 'give body or json, not both');

const config = z
  .strictObject({
    /** The first that fits answers. */
    replies: z.array(staticReply).max(256).default([]),
    /** An OpenAPI 3 document: its operations answer with their first example, or with one of another status by `Prefer: status=404`. */
    openapi: z.record(z.string(), z.json()).optional(),
    /** What is not mocked: the upstream answers, or a 404. */
    otherwise: z.enum(['upstream', 'not-found']).default('not-found'),
  })
  .refine(({ replies, openapi }) => replies.length > 0 || openapi !== undefined, 'give replies or an OpenAPI document')
  .superRefine(({ openapi }, context) => {
    const examples = openapi && examplesOf(openapi);
    if (typeof examples === 'string')
      context.addIssue({ code: 'custom', path: ['openapi'], message: examples, input: openapi });
  });

/** An answer that is ready to be sent. */
interface Mocked {
  readonly method: string | undefined;
  fits(path: string): boolean;
  /** By the status that was asked for; undefined: nobody asked. */
  answer(status: number | undefined): Reply | undefined;
}

export const mock = definePolicy({
  id: 'mock',
  summary: 'Answers in the place of the upstream, with fixed replies or with the examples of an OpenAPI document.',
  config,
  example: { replies: [{ method: 'GET', path: '/{id}', json: { id: 'o-1', state: 'sent' } }] },
  compile: ({ replies, openapi, otherwise }) => {
    const mocked: readonly Mocked[] = [
      ...replies.map(compileReply),
      ...(openapi === undefined ? [] : compileOperations(openapi)),
    ];
    return {
      intercept: (input, done) => {
        const found = answerFor(input, mocked);
        if (found) return done(found);
        if (otherwise === 'upstream') return done(undefined);
        const { method, path: asked } = input.request;
        done(refuse('ROUTE_NOT_FOUND', { method, path: asked }));
      },
    };
  },
});

function answerFor({ request, exchange }: PolicyInput, mocked: readonly Mocked[]): Reply | undefined {
  const below = request.path.slice(exchange.matched) || '/';
  const status = preferredStatus(request.field.get('prefer'));
  for (const candidate of mocked) {
    if (candidate.method !== undefined && !answersTo(candidate.method, request.method)) continue;
    const answer = candidate.fits(below) ? candidate.answer(status) : undefined;
    if (answer) return answer;
  }
  return undefined;
}

/** RFC 9110 §9.3.2: HEAD is GET without the body. */
function answersTo(method: string, asked: string): boolean {
  return method === asked || (method === 'GET' && asked === 'HEAD');
}

/** RFC 7240: a preference, which a server may follow; `status=404` asks for the example of that answer. */
function preferredStatus(prefer: string | undefined): number | undefined {
  if (prefer === undefined || prefer.length > 256) return undefined;
  const wanted = prefer
    .split(/[,;]/)
    .map((part) => part.trim())
    .find((part) => part.startsWith('status='));
  const status = Number(wanted?.slice('status='.length));
  return Number.isInteger(status) ? status : undefined;
}

function compileReply({
  method,
  path: template,
  status,
  fields: given,
  body,
  json,
}: z.output<typeof staticReply>): Mocked {
  const matcher = template === undefined ? undefined : compilePathTemplate(template);
  const written = json === undefined ? (body ?? '') : JSON.stringify(json);
  const type = json === undefined ? 'text/plain; charset=utf-8' : 'application/json';
  const raw = Object.entries(given).flat();
  if (written !== '' && !Object.hasOwn(given, 'content-type')) raw.push('content-type', type);
  const answer = reply(status, raw, Buffer.from(written));
  return { method, fits: (asked) => matcher === undefined || matcher.match(asked) !== undefined, answer: () => answer };
}

function compileOperations(openapi: Parameters<typeof examplesOf>[0]): Mocked[] {
  const examples = examplesOf(openapi);
  if (typeof examples === 'string') throw new Error(examples);
  return examples
    .map(({ method, path: template, answers }) => ({ method, answers, template: compilePathTemplate(template) }))
    .sort((one, other) => other.template.rank - one.template.rank)
    .map(({ method, answers, template }) => {
      const ready = answers.map(({ status, type, body }) =>
        reply(status, body === undefined ? [] : ['content-type', type], Buffer.from(body ?? '')),
      );
      return {
        method,
        fits: (asked) => template.match(asked) !== undefined,
        answer: (status) => ready.find((candidate) => candidate.status === status) ?? ready[0],
      };
    });
}
