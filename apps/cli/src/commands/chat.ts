import type { IncomingMessage } from 'node:http';
import { errors, type ErrorCode } from '@sallyport/contracts';
import { exitCodeOf, readUrl, requestIdOf, secretOf } from '../admin-client';
import type { Command, Invocation } from '../command-line';
import { exitCodes, Failure } from '../failure';
import { call, describeDoor, NoAnswer, open, type Answer, type Door } from '../http-call';
import { plain, plainProse, type Output } from '../output';
import { serverSentEvents } from '../server-sent-events';
import type { World } from '../world';

const DEFAULT_GATEWAY = 'http://127.0.0.1:8000';
const PATH = '/v1/chat/completions';
/** Models think for long before their first word. */
const TIMEOUT_MS = 120_000;
const KEY = 'SALLYPORT_KEY';

export const chat: Command = {
  name: 'chat',
  summary: 'Ask a model through the gateway, and print its answer as it comes.',
  operands: ['"TEXT"'],
  options: [
    { name: 'model', short: 'm', value: 'NAME', summary: 'Model to ask; default: echo.' },
    { name: 'no-stream', summary: 'Wait for the whole answer.' },
    { name: 'gateway', value: 'URL', summary: `Data door (SALLYPORT_PUBLIC_URL, else ${DEFAULT_GATEWAY}).` },
  ],
  examples: ['chat "hello"', 'chat "hello" -m echo --no-stream --json'],
  async run(invocation, world, output) {
    const door = gatewayOf(invocation, world);
    const key = secretOf(KEY, world.environment);
    if (key === undefined) {
      throw new Failure(`No API key: ${KEY} is not set.`, {
        exitCode: exitCodes.notAllowed,
        next: `export ${KEY}=$(sallyport key create chat --model echo)`,
      });
    }
    const model = invocation.text('model') ?? 'echo';
    const question = { model, messages: [{ role: 'user', content: invocation.operands[0] }] };
    const ask = { door, key, signal: world.interrupted };
    try {
      if (output.json || invocation.has('no-stream')) await answerWhole(question, ask, output);
      else await answerAsItComes(question, ask, output);
    } catch (error) {
      throw error instanceof NoAnswer ? gatewayAway(error) : error;
    }
    return exitCodes.done;
  },
};

/** The data door a command talks to. */
export function gatewayOf(invocation: Invocation, { environment }: World): Door {
  const flag = invocation.text('gateway');
  const text = flag ?? (environment['SALLYPORT_PUBLIC_URL'] || DEFAULT_GATEWAY);
  return { url: readUrl(flag === undefined ? 'SALLYPORT_PUBLIC_URL' : '--gateway', text) };
}

interface Ask {
  readonly door: Door;
  readonly key: string;
  readonly signal: AbortSignal;
}

function requestOf(body: unknown, { key, signal }: Ask) {
  return {
    method: 'POST',
    path: PATH,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    timeoutMs: TIMEOUT_MS,
    signal,
  };
}

async function answerWhole(question: object, ask: Ask, output: Output): Promise<void> {
  const answer = await call(ask.door, requestOf(question, ask));
  if (answer.status !== 200) throw refusedBy(answer, ask.door);
  const document = completionOf(answer, ask.door);
  if (output.json) output.document(document);
  else output.line(plainProse(document.choices?.[0]?.message?.content ?? ''));
  const tokens = document.usage?.total_tokens;
  output.note(summary(answer.headers, tokens));
}

async function answerAsItComes(question: object, ask: Ask, output: Output): Promise<void> {
  const body = { ...question, stream: true, stream_options: { include_usage: true } };
  const incoming = await open(ask.door, requestOf(body, ask));
  if (incoming.statusCode !== 200) throw refusedBy(await whole(incoming), ask.door);
  const requestId = requestIdOf(incoming.headers);
  let tokens: number | undefined;
  let ended = false;
  try {
    for await (const { data } of serverSentEvents(incoming)) {
      if (data === '[DONE]') {
        ended = true;
        break;
      }
      const chunk = JSON.parse(data) as Completion & DialectError;
      if (chunk.error) throw brokeOff(plain(chunk.error.message ?? 'The model failed.'), requestId);
      output.part(plainProse(chunk.choices?.[0]?.delta?.content ?? ''));
      tokens = chunk.usage?.total_tokens ?? tokens;
    }
  } catch (error) {
    output.part('\n');
    throw error instanceof Failure ? error : brokeOff('The answer broke off.', requestId);
  }
  output.part('\n');
  if (!ended) throw brokeOff('The answer ended early.', requestId);
  output.note(summary(incoming.headers, tokens));
}

interface Completion {
  readonly choices?: readonly {
    readonly message?: { readonly content?: string | null };
    readonly delta?: { readonly content?: string | null };
  }[];
  readonly usage?: { readonly total_tokens?: number } | null;
}

interface DialectError {
  readonly error?: { readonly message?: string; readonly code?: string | null };
}

function completionOf({ text, headers }: Answer, door: Door): Completion {
  try {
    return JSON.parse(text) as Completion;
  } catch {
    throw new Failure(`What ${describeDoor(door)} answered is no JSON: this is not the gateway of Sallyport.`, {
      exitCode: exitCodes.failed,
      requestId: requestIdOf(headers),
      next: 'sallyport doctor',
    });
  }
}

function summary(headers: Answer['headers'], tokens: number | undefined): string {
  const model = headers['x-sallyport-model'];
  const cost = headers['x-sallyport-cost-usd'];
  return [
    typeof model === 'string' ? plain(model) : undefined,
    tokens === undefined ? undefined : `${tokens} tok`,
    typeof cost === 'string' ? `$${plain(cost)}` : undefined,
    requestIdOf(headers),
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}

async function whole(incoming: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>) parts.push(part);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, text: Buffer.concat(parts).toString('utf8') };
}

/** A model endpoint refuses in its own dialect, the gateway in problem details: both name a code and a sentence. */
function refusedBy({ status, headers, text }: Answer, door: Door): Failure {
  const { code, message } = refusalIn(text);
  return new Failure(plain(message ?? `${describeDoor(door)} answered ${status}.`), {
    exitCode: exitCodeOf(status),
    code: code === undefined ? undefined : plain(code),
    requestId: requestIdOf(headers),
    next: nextStep(status, code),
  });
}

function refusalIn(text: string): { readonly code?: string; readonly message?: string } {
  try {
    const body = JSON.parse(text) as DialectError & { readonly code?: string; readonly detail?: string };
    return { code: body.error?.code ?? body.code, message: body.error?.message ?? body.detail };
  } catch {
    return {};
  }
}

function nextStep(status: number, code: string | undefined): string {
  if (status === 401) return `export ${KEY}=$(sallyport key create chat --model echo)`;
  if (status === 403) return 'sallyport key list';
  if (status === 404) return 'list the models: sallyport doctor';
  if (status === 429) return 'wait, or make a key with a higher --limit: sallyport help key create';
  const retry = code !== undefined && code in errors ? errors[code as ErrorCode].retry : undefined;
  return retry === 'later' ? 'try again, or sallyport doctor' : 'sallyport doctor';
}

function brokeOff(message: string, requestId: string | undefined): Failure {
  return new Failure(message, { exitCode: exitCodes.failed, requestId, next: 'sallyport tail -n 1 --no-follow' });
}

function gatewayAway({ door, message }: NoAnswer): Failure {
  return new Failure(`The gateway at ${describeDoor(door)} does not answer: ${message}.`, {
    exitCode: exitCodes.unavailable,
    next: 'start Sallyport with `npm start`, or name another with --gateway or SALLYPORT_PUBLIC_URL',
  });
}
