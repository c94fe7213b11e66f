import type { Readable } from 'node:stream';
import { headers as names, hopByHop, refuse, RefusalError } from '@sallyport/contracts';
import type { Logger } from '@sallyport/platform';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { AreaClient } from './area-client';
import { areaPrefix, type AreaName } from './areas';

const methods: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/**
 * Hands everything below the prefix of an area to the service that owns it, as it is: bodies are streams in both
 * directions, the admin token travels along and is asked for again at the other end.
 *
 * @param scope a context of its own: its bodies are not read
 */
export function forwardAreas(scope: FastifyInstance, clients: ReadonlyMap<AreaName, AreaClient>, logger: Logger): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
  for (const [area, client] of clients) {
    const handler = (request: FastifyRequest, reply: FastifyReply) => forward(area, client, logger, request, reply);
    scope.route({ method: methods, url: areaPrefix(area), handler });
    scope.route({ method: methods, url: `${areaPrefix(area)}/*`, handler });
  }
}

async function forward(
  area: AreaName,
  client: AreaClient,
  logger: Logger,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  try {
    const answer = await client.request({
      method: request.method,
      path: request.raw.url!,
      headers: fieldsToArea(request),
      ...(hasBody(request) && { body: request.body as Readable }),
      signal: gone.signal,
    });
    return reply.code(answer.statusCode).headers(fieldsToCaller(answer.headers)).send(answer.body);
  } catch (error) {
    if (!gone.signal.aborted) logger.warn({ err: error, area, request_id: request.id }, 'the area does not answer');
    throw new RefusalError(refuse('ADMIN_UNAVAILABLE', { area }, { retryAfterMs: 2_000 }));
  }
}

function hasBody(request: FastifyRequest): boolean {
  return request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
}

/** RFC 9110 §7.6.1: what is meant for one connection ends here; so does Host, which names the door. */
function fieldsToArea(request: FastifyRequest): Record<string, string | string[]> {
  const named = namedByConnection(request.headers.connection);
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || name === 'host' || name === 'expect' || hopByHop.has(name) || named.has(name)) continue;
    fields[name] = value;
  }
  fields[names.requestId] = request.id;
  return fields;
}

function fieldsToCaller(answered: Record<string, string | string[] | undefined>): Record<string, string | string[]> {
  const named = namedByConnection(answered['connection']);
  const fields: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(answered)) {
    if (value !== undefined && !hopByHop.has(name) && !named.has(name)) fields[name] = value;
  }
  return fields;
}

function namedByConnection(field: string | string[] | undefined): ReadonlySet<string> {
  return new Set(
    String(field ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
}
