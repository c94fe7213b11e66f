import { createParamDecorator, type ExecutionContext } from '@nestjs/common';

/** Who asks for a change, as the audit trail names them. */
export interface AdminActor {
  readonly name: string;
  readonly via: 'api' | 'cli' | 'console';
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the admin token was accepted. */
    actor?: AdminActor;
  }
  interface FastifyContextConfig {
    /** True for a route that needs no admin token, such as a page of the console. */
    open?: boolean;
  }
}

/** The actor behind the presented admin token; the client says by which way it comes. */
export function actorOf(via: string | string[] | undefined): AdminActor {
  return { name: 'admin', via: via === 'cli' || via === 'console' ? via : 'api' };
}

/** Hands a controller the {@link AdminActor} of the request. */
export const Actor = createParamDecorator((_: unknown, context: ExecutionContext): AdminActor => {
  const { actor } = context.switchToHttp().getRequest<{ actor?: AdminActor }>();
  if (!actor) throw new Error('the route is open and has no actor');
  return actor;
});
