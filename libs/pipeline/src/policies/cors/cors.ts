import { z } from 'zod';
import { refuse, type RequestHead } from '@sallyport/contracts';
import type { AnswerDraft } from '../../draft';
import { definePolicy, pass, reply, type Reply } from '../../policy';

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** RFC 6454 §6.2: an origin as browsers send it, which leaves a default port out and has no path. */
const origin = z
  .string()
  .max(512)
  .refine(
    (text) => URL.canParse(text) && new URL(text).origin === text && !text.includes('*'),
    'an origin such as https://app.example.com',
  );

const config = z
  .strictObject({
    /** Exact origins, or `*` alone for every page there is. */
    origins: z.union([z.tuple([z.literal('*')]), z.array(origin).min(1).max(1000)]),
    methods: z
      .array(z.string().regex(/^[A-Z]{1,32}$/))
      .max(16)
      .default(['GET', 'HEAD', 'POST']),
    /** Request fields a page may send beside those every page may. */
    headers: z
      .array(z.string().regex(TOKEN))
      .max(100)
      .default([])
      .transform((names) => names.map((name) => name.toLowerCase())),
    /** Answer fields a page may read beside those every page may. */
    expose: z.array(z.string().regex(TOKEN)).max(100).default([]),
    /** Whether a page may call with the cookies of this host. */
    credentials: z.boolean().default(false),
    /** How long a browser may remember the answer to its question, in seconds. */
    maxAgeSeconds: z.int().min(0).max(86_400).default(600),
  })
  // Fetch §3.3.5: a browser ignores `*` with credentials, so whoever writes both means something else.
  .refine(({ origins, credentials }) => !(credentials && origins[0] === '*'), {
    error: 'with credentials every origin must be named',
    path: ['origins'],
  });

export const cors = definePolicy({
  id: 'cors',
  summary:
    'Lets pages of the named origins call the route from a browser, and answers the questions browsers ask first.',
  config,
  example: { origins: ['https://app.example.com'], methods: ['GET', 'POST'], headers: ['content-type'] },
  compile: ({ origins, methods, headers, expose, credentials, maxAgeSeconds }) => {
    const everyone = origins[0] === '*';
    const named: ReadonlySet<string> = new Set<string>(origins);
    const allowedHeaders: ReadonlySet<string> = new Set(headers);
    const allowedMethods: ReadonlySet<string> = new Set(methods);
    const granted = [
      ...(credentials ? ['access-control-allow-credentials', 'true'] : []),
      ...(expose.length > 0 ? ['access-control-expose-headers', expose.join(', ')] : []),
    ];
    const answerToPreflight = [
      'access-control-allow-methods',
      methods.join(', '),
      ...(headers.length > 0 ? ['access-control-allow-headers', headers.join(', ')] : []),
      ...(credentials ? ['access-control-allow-credentials', 'true'] : []),
      'access-control-max-age',
      String(maxAgeSeconds),
      'vary',
      'origin, access-control-request-method, access-control-request-headers',
      'cache-control',
      'no-store',
    ];

    // `null` is what sandboxed frames and files of any sender call themselves: it cannot be named, but it is one of everyone.
    const allows = (from: string): boolean => everyone || named.has(from);

    const preflight = (from: string, method: string, request: RequestHead): Reply | ReturnType<typeof refuse> => {
      if (!allows(from)) return refuse('POLICY_DENIED', { reason: 'the origin is not allowed' });
      // Private network access is never granted, so the field that asks for it gets no answer.
      if (!allowedMethods.has(method)) return refuse('POLICY_DENIED', { reason: `pages may not use ${method}` });
      for (const name of membersOf(request.field.get('access-control-request-headers'))) {
        // Fetch §4.8: what a page may always send is asked for only with a value that it may not always have.
        if (!allowedHeaders.has(name))
          return refuse('POLICY_DENIED', { reason: 'pages may not send one of the fields asked for' });
      }
      return reply(204, ['access-control-allow-origin', everyone ? '*' : from, ...answerToPreflight]);
    };

    return {
      answersPreflight: true,
      admit: ({ request }) => {
        const method = askedInPreflight(request);
        return method === undefined ? pass : preflight(request.field.get('origin')!, method, request);
      },
      answerHead: ({ request }, draft) => {
        removeForeign(draft);
        const from = request.field.get('origin');
        // Fetch, “CORS protocol and HTTP caches”: what is for everyone is told to everyone, also to who is no page, for a cache may
        // give the answer to one; what is for some varies.
        if (!everyone) addVary(draft, 'origin');
        if (!everyone && (from === undefined || !allows(from))) return pass;
        draft.fields.set('access-control-allow-origin', everyone ? '*' : from!);
        for (let at = 0; at < granted.length; at += 2) draft.fields.set(granted[at]!, granted[at + 1]!);
        return pass;
      },
    };
  },
});

/** Fetch §3.2.2: the method a browser asks about before it sends a request of a page; undefined: this is no such question. */
export function askedInPreflight({ method, field }: Pick<RequestHead, 'method' | 'field'>): string | undefined {
  if (method !== 'OPTIONS' || !field.has('origin')) return undefined;
  return field.get('access-control-request-method');
}

function membersOf(list: string | undefined): string[] {
  if (list === undefined) return [];
  return list
    .split(',')
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '');
}

const decidedHere = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-allow-private-network',
  'access-control-max-age',
] as const;

/** Who may read an answer is decided once: what the upstream grants would add to it. */
function removeForeign({ fields }: AnswerDraft): void {
  for (const name of decidedHere) fields.remove(name);
}

function addVary({ fields }: AnswerDraft, name: string): void {
  const before = fields.get('vary');
  if (before === undefined) fields.set('vary', name);
  else if (!membersOf(before).some((member) => member === name || member === '*'))
    fields.set('vary', `${before}, ${name}`);
}
