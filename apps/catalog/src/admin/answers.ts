import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { headers, RefusalError } from '@sallyport/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { catchError, map, type Observable } from 'rxjs';
import type { Edited } from '../catalog';
import { entityTag } from '../editing';

/** What a changeset, and every dry run, answers. */
export interface ChangesetAnswer {
  readonly dryRun: boolean;
  /** The revision the changes are in, or would be. */
  readonly revision: string;
  readonly changes: readonly {
    readonly action: string;
    readonly type: string;
    readonly name: string;
    readonly event?: string;
    readonly before?: object;
    readonly after?: object;
  }[];
  readonly findings: Edited<unknown>['findings'];
}

export function changesetAnswer({ changes, revision, findings }: Edited<unknown>, dryRun: boolean): ChangesetAnswer {
  return {
    dryRun,
    revision,
    changes: changes.map(({ action, object, event, before, after }) => ({
      action,
      type: object.type,
      name: object.name,
      ...(event !== undefined && { event }),
      ...(before && { before }),
      ...(after && { after }),
    })),
    findings,
  };
}

/**
 * Dresses answers: an edit answers the object as it is now and the revision it is in, a dry run what it would change;
 * whatever has a `rev` gets its ETag, and so does a refusal that names one (RFC 9110 §13.1.1).
 */
export class Answers implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(
      map((answer: unknown) => dress(answer, request, reply)),
      catchError((error: unknown) => {
        const etag = error instanceof RefusalError ? error.refusal.params['etag'] : undefined;
        if (etag !== undefined) reply.header('etag', etag);
        throw error;
      }),
    );
  }
}

function dress(answer: unknown, request: FastifyRequest, reply: FastifyReply): unknown {
  const edited = isEdited(answer) ? answer : undefined;
  const body = edited ? bodyOf(edited, request, reply) : answer;
  const rev = (body as { rev?: unknown } | undefined)?.rev;
  if (typeof rev === 'number') reply.header('etag', entityTag(rev));
  return body;
}

function bodyOf(edited: Edited<unknown>, request: FastifyRequest, reply: FastifyReply): unknown {
  reply.header(headers.configVersion, edited.revision);
  if ((request.query as Record<string, unknown>)['dryRun'] === 'true') {
    void reply.code(200);
    return changesetAnswer(edited, true);
  }
  if (edited.result === undefined) return undefined;
  return edited.findings.length > 0 ? { ...(edited.result as object), findings: edited.findings } : edited.result;
}

function isEdited(answer: unknown): answer is Edited<unknown> {
  return typeof answer === 'object' && answer !== null && 'changes' in answer && 'result' in answer;
}
