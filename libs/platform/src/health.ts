import { createServer, type ServerResponse } from 'node:http';
import type { Address, Closable } from './address';
import { listen } from './listening';
import type { Metrics } from './metrics';

/** Whether a process wants traffic, and if not, why. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/**
 * A process wants traffic while nothing speaks against it.
 * @param against what may, by its words
 */
export function readiness(
  { clockFault }: { readonly clockFault: () => string | undefined },
  against: Readonly<Record<string, boolean>>,
): Readiness {
  const fault = clockFault();
  const reasons = [...Object.keys(against).filter((words) => against[words]), ...(fault === undefined ? [] : [fault])];
  return { ready: reasons.length === 0, reasons };
}

export interface HealthOptions {
  readonly address: Address;
  readonly metrics: Pick<Metrics, 'exposition'>;
  /** Configuration loaded and not draining; a dependency that is down is no reason to take a process out. */
  readonly ready: () => Readiness;
  /** Whether start-up work is over; it is, where this listens, unless something else is said. */
  readonly started?: () => boolean;
}

/**
 * Serves what an orchestrator asks: `/livez` (the loop turns; no dependency), `/readyz`, `/startupz` and `/metrics`.
 * @throws when the address cannot be bound.
 */
export async function startHealth(options: HealthOptions): Promise<Closable> {
  const answers = healthAnswers(options);
  const server = createServer((request, response) => {
    const answer = Object.hasOwn(answers, request.url ?? '') ? answers[request.url!] : undefined;
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return respond(response, 405, 'text/plain', 'GET only\n');
    if (!answer) return respond(response, 404, 'text/plain', 'not found\n');
    answer(response);
  });
  server.requestTimeout = 5000;
  server.headersTimeout = 5000;
  return listen(server, options.address);
}

type Answer = (response: ServerResponse) => void;

function healthAnswers({ metrics, ready, started }: HealthOptions): Record<string, Answer> {
  return {
    '/livez': (response) => json(response, 200, { status: 'ok' }),
    '/readyz': (response) => {
      const state = ready();
      json(response, state.ready ? 200 : 503, { status: state.ready ? 'ok' : 'not ready', reasons: state.reasons });
    },
    '/startupz': (response) => {
      const done = started?.() ?? true;
      json(response, done ? 200 : 503, { status: done ? 'ok' : 'starting' });
    },
    '/metrics': (response) => {
      metrics.exposition().then(
        (page) => respond(response, 200, 'text/plain; version=0.0.4; charset=utf-8', page),
        () => respond(response, 500, 'text/plain', 'metrics cannot be read\n'),
      );
    },
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  respond(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function respond(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}
