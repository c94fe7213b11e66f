import { Agent, request, type Dispatcher } from 'undici';

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is text or bytes. */
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
  json<T = Record<string, never>>(): T;
}

/** A connection for each call: none is left that a server which was ended would have closed. */
const agent = new Agent({ pipelining: 0 });

export async function call(
  url: string,
  { method, headers = {}, body, timeoutMs = 60_000 }: Call = {},
): Promise<Answer> {
  const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  const answer = await request(url, {
    dispatcher: agent,
    method: (method ?? (body === undefined ? 'GET' : 'POST')) as Dispatcher.HttpMethod,
    headers: { ...(raw ? {} : { 'content-type': 'application/json' }), ...headers },
    body: raw ? (body as string | undefined) : JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await answer.body.text();
  const fields = Object.entries(answer.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ]);
  return {
    status: answer.statusCode,
    headers: Object.fromEntries(fields) as Answer['headers'],
    text,
    json: () => JSON.parse(text) as never,
  };
}

/** Fails with the answer itself when its status is another. */
export function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status)
    throw new Error(`expected ${status}, got ${answer.status}: ${answer.text.slice(0, 2000)}`);
  return answer;
}
