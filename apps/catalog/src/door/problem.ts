import { problemOf, refuse, RefusalError } from '@sallyport/contracts';
import type { Logger } from '@sallyport/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Renders what was thrown on the way through the door; Nest renders what is thrown behind it. */
export function problemRenderer(publicUrl: string, logger: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const known = error instanceof RefusalError;
    if (!known) logger.error({ err: error, request_id: request.id, code: 'INTERNAL' }, 'the admin door failed');
    const refusal = known ? error.refusal : refuse('INTERNAL');
    const { status, headers, body } = problemOf(refusal, { requestId: request.id, publicUrl });
    return reply.code(status).headers(headers).send(body);
  };
}
