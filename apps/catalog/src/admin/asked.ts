import { createParamDecorator, applyDecorators, type ExecutionContext } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiQuery } from '@nestjs/swagger';
import { refuse, RefusalError } from '@sallyport/contracts';
import type { AdminActor } from '@sallyport/platform';
import type { FastifyRequest } from 'fastify';
import type { EditRequest } from '../catalog';
import { MERGE_PATCH } from './merge-patch';

/** Hands a controller who asks for an edit, and how: `If-Match`, `?dryRun=`, the request id. */
export const Asked = createParamDecorator((_: unknown, context: ExecutionContext): EditRequest => {
  const request = context.switchToHttp().getRequest<FastifyRequest & { actor: AdminActor }>();
  return {
    editor: request.actor,
    dryRun: isDryRun((request.query as Record<string, unknown>)['dryRun']),
    ifMatch: request.headers['if-match'],
    requestId: request.id,
  };
});

/** Said wrongly, it must not pass for "do it". */
function isDryRun(value: unknown): boolean {
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  throw new RefusalError(refuse('REQUEST_MALFORMED', { reason: 'dryRun is true or false' }));
}

const dryRun = ApiQuery({
  name: 'dryRun',
  required: false,
  schema: { type: 'boolean' },
  description: 'Judge the edit and show what it would change, but keep nothing.',
});

/** Documents an edit that makes something or takes a step. */
export const Edits = (): MethodDecorator => applyDecorators(dryRun);

/** Documents an edit of something that must have been read before. */
export const EditsWhatWasRead = (): MethodDecorator =>
  applyDecorators(
    dryRun,
    ApiHeader({ name: 'If-Match', required: true, description: 'ETag of the object as it was read.' }),
  );

/** Documents a body of members to change. */
export const AcceptsMergePatch = (): MethodDecorator =>
  applyDecorators(
    ApiConsumes(MERGE_PATCH, 'application/json'),
    ApiBody({ schema: { type: 'object' }, description: 'Members to change; null removes one (RFC 7396).' }),
  );
