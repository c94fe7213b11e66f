import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { resolve, join } from 'node:path';
import { nearestName } from '@sallyport/contracts';
import { exitCodes, Failure, usageFailure, type ExitCode } from './failure';
import { call, describeDoor, NoAnswer, open, type Answer, type Door } from './http-call';
import { plain } from './output';
import type { World } from './world';

const DEFAULT_URL = 'http://127.0.0.1:8080';
const TIMEOUT_MS = 10_000;
/** Of what the server does on the spot, such as trying a rule set. */
export const LONG_TIMEOUT_MS = 90_000;
/** A live stream says something every 15 s, so silence of three times that is a broken connection. */
const STREAM_SILENCE_MS = 45_000;
/** A list longer than this is not for a terminal. */
const MAX_PAGES = 50;
const PAGE_ITEMS = 200;
export const MOST_ITEMS = MAX_PAGES * PAGE_ITEMS;

const TOKEN = 'SALLYPORT_ADMIN_TOKEN';
/** Where an all-in-one start says which socket it listens on for its own user. */
const SOCKET_FILE = 'admin.sock.path';

/** How the admin API is reached, and with which credential. */
export interface Access {
  readonly door: Door;
  /** Absent at the socket of this host: whoever may open it is the user who started Sallyport. */
  readonly token?: string;
}

/**
 * Finds the way to the admin API: a token goes to the URL; without one, this host's own socket is used, unless another
 * server was named.
 * @param server value of `--server`
 * @throws Failure (77) that says what to set, (64) for a URL that is none.
 */
export function findAccess(server: string | undefined, world: World): Access {
  const { environment } = world;
  const named = server ?? (environment['SALLYPORT_URL'] || undefined);
  const url = readUrl(server === undefined ? 'SALLYPORT_URL' : '--server', named ?? DEFAULT_URL);
  const token = secretOf(TOKEN, environment);
  if (token !== undefined) return { door: { url }, token };
  if (named === undefined) {
    const socket = hostSocket(world);
    if (socket !== undefined) return { door: { socket } };
  }
  const set = `set ${TOKEN} or ${TOKEN}_FILE`;
  if (named !== undefined) {
    const message = `No credential for ${describeDoor({ url })}: ${TOKEN} is not set.`;
    throw new Failure(message, { exitCode: exitCodes.notAllowed, next: set });
  }
  const searched = dataDirectories(world).join(' or ');
  throw new Failure(`No credential: ${TOKEN} is not set, and no Sallyport runs with its data in ${searched}.`, {
    exitCode: exitCodes.notAllowed,
    next: `start one with \`npm start\`, let SALLYPORT_DATA_DIR name the data folder of one that runs here, or ${set}`,
  });
}

/**
 * The admin API as a command talks to it, until it is interrupted.
 * @param server value of `--server`
 * @throws Failure as {@link findAccess} does.
 */
export function adminClient(server: string | undefined, world: World): AdminClient {
  return new AdminClient(findAccess(server, world), world.interrupted);
}

/** @throws Failure (64) */
export function readUrl(source: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '') return url;
  throw usageFailure(`${source} takes a URL such as ${DEFAULT_URL}, not “${plain(text)}”.`);
}

/**
 * Reads a secret from the variable, or from the file that `<name>_FILE` names.
 * @throws Failure (64) when the file cannot be read.
 */
export function secretOf(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const file = environment[`${name}_FILE`];
  if (!file) return environment[name]?.trim() || undefined;
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch (error) {
    throw usageFailure(`${name}_FILE cannot be read: ${(error as Error).message}.`);
  }
}

/** Where the data of an embedded start may be, the likeliest first. */
export function dataDirectories({ environment, directory, installation }: World): string[] {
  const named = environment['SALLYPORT_DATA_DIR'];
  if (named) return [resolve(directory, named)];
  return [...new Set([resolve(directory, 'data'), resolve(installation, 'data')])];
}

function hostSocket(world: World): string | undefined {
  for (const directory of dataDirectories(world)) {
    const file = join(directory, SOCKET_FILE);
    if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  }
  return undefined;
}

/** What a caller may say beside the path. */
type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

interface Sent {
  readonly query?: Query | undefined;
  readonly body?: unknown;
  /** How long to wait for the answer. */
  readonly timeoutMs?: number | undefined;
}

/** Calls the admin API. Whatever is not a success is thrown as a Failure, with code and request id of the answer. */
export class AdminClient {
  constructor(
    private readonly access: Access,
    private readonly signal?: AbortSignal,
  ) {}

  get door(): Door {
    return this.access.door;
  }

  async get<T>(path: string, query?: Query): Promise<T> {
    return documentOf(await this.send('GET', path, { query })) as T;
  }

  async post<T>(path: string, body: unknown, query?: Query, timeoutMs?: number): Promise<T> {
    return documentOf(await this.send('POST', path, { body, query, timeoutMs })) as T;
  }

  async delete<T>(path: string): Promise<T> {
    return documentOf(await this.send('DELETE', path, {})) as T;
  }

  /**
   * The items of a list, page by page.
   * @returns whether those were all: after {@link MOST_ITEMS} it ends.
   */
  async *all<Item>(path: string, query: Query = {}): AsyncGenerator<Item, boolean> {
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const { items, next }: Page<Item> = await this.get(path, { limit: PAGE_ITEMS, ...query, cursor });
      yield* items;
      if (next === null) return true;
      cursor = next;
    }
    return false;
  }

  /** Opens a stream of events; it ends when the server ends it, is silent for long, or the command is interrupted. */
  async stream(path: string): Promise<IncomingMessage> {
    const { door } = this.access;
    try {
      const incoming = await open(door, {
        method: 'GET',
        path,
        headers: this.headers({ accept: 'text/event-stream' }),
        timeoutMs: STREAM_SILENCE_MS,
        signal: this.signal,
      });
      if (incoming.statusCode === 200) return incoming;
      incoming.resume();
      throw refusalOf({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: '' });
    } catch (error) {
      throw this.explained(error);
    }
  }

  /** One call, whatever its answer. @throws Failure (69) when there is none. */
  async ask(method: string, path: string, { query, body, timeoutMs = TIMEOUT_MS }: Sent = {}): Promise<Answer> {
    try {
      return await call(this.access.door, {
        method,
        path: path + queryOf(query),
        headers: this.headers(
          body === undefined ? {} : { 'content-type': 'application/json', accept: 'application/json' },
        ),
        body: body === undefined ? undefined : JSON.stringify(body),
        timeoutMs,
        signal: this.signal,
      });
    } catch (error) {
      throw this.explained(error);
    }
  }

  private async send(method: string, path: string, what: Sent): Promise<Answer> {
    const answer = await this.ask(method, path, what);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw refusalOf(answer);
  }

  private headers(more: Record<string, string>): Record<string, string> {
    const { token } = this.access;
    return { ...more, 'x-sallyport-via': 'cli', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  }

  private explained(error: unknown): unknown {
    if (!(error instanceof NoAnswer)) return error;
    return new Failure(`The admin API at ${describeDoor(error.door)} does not answer: ${error.message}.`, {
      exitCode: exitCodes.unavailable,
      next: 'start Sallyport with `npm start`, or name another with --server or SALLYPORT_URL',
    });
  }
}

function queryOf(query: Query = {}): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value));
  return given.size === 0 ? '' : `?${given.toString()}`;
}

function documentOf({ status, headers, text }: Answer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure(`The answer (${status}) is no JSON: this is not the admin API of Sallyport.`, {
      exitCode: exitCodes.failed,
      requestId: requestIdOf(headers),
      next: 'sallyport doctor',
    });
  }
}

/** The members of problem details (RFC 9457) that a terminal shows. */
interface Problem {
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly request_id?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** Turns an answer that is no success into what the command ends with. */
export function refusalOf({ status, headers, text }: Answer): Failure {
  const problem = problemIn(text);
  const { code, errors = [] } = problem;
  const detail = problem.detail ?? problem.title ?? `The server answered ${status}.`;
  return new Failure(plain(detail), {
    exitCode: exitCodeOf(status, code),
    code: code === undefined ? undefined : plain(code),
    requestId: requestIdOf(headers) ?? problem.request_id,
    places: errors.map((place) => plain(`${place.pointer || '/'}: ${place.detail}`)),
    next: nextStep(status, code),
  });
}

function problemIn(text: string): Problem {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

export function requestIdOf(headers: Answer['headers']): string | undefined {
  const value = headers['x-sallyport-request-id'];
  return typeof value === 'string' ? plain(value) : undefined;
}

export function exitCodeOf(status: number, code?: string): ExitCode {
  if (status === 401 || status === 403 || code === 'AUTH_MALFORMED') return exitCodes.notAllowed;
  return status >= 502 && status <= 504 ? exitCodes.unavailable : exitCodes.failed;
}

function nextStep(status: number, code: string | undefined): string {
  if (code === 'AUTH_KEY_CONFLICT') return 'sallyport key list';
  if (code === 'AUTH_KEY_NOT_FOUND') return 'sallyport key list';
  if (code === 'SCHEMA_VIOLATION') return 'mend what is listed; nothing was changed';
  if (status === 401 || status === 403) return `check ${TOKEN}: sallyport doctor`;
  return 'sallyport doctor';
}

/** ` Did you mean “…”?`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? '' : ` Did you mean “${nearest}”?`;
}
