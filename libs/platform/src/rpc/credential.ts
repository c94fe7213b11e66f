import { ServerInterceptingCall, type ServerInterceptor, type Metadata } from '@grpc/grpc-js';
import { refuse } from '@sallyport/contracts';
import { bearerOf, type AdminToken } from '../admin-token';
import { statusOf } from './status';

/**
 * Services that anyone on the private network may ask: probers, tools, and our own processes for a configuration that
 * holds no secret.
 */
const open = ['/grpc.health.', '/grpc.reflection.', '/sallyport.catalog.v1.SnapshotService/'];

/**
 * Refuses a unary call without the admin token before its message is read. Streams pass: they carry the consults of
 * ingresses, and their messages are too many to be looked at.
 */
export function demandBearer(token: AdminToken): ServerInterceptor {
  return (method, call) => {
    if (method.requestStream || open.some((prefix) => method.path.startsWith(prefix)))
      return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata: Metadata, pass: (metadata: Metadata) => void) => {
            const presented = bearerOf(metadata.get('authorization')[0]?.toString());
            if (presented !== undefined && token.accepts(presented)) return pass(metadata);
            call.sendStatus(statusOf(refuse('AUTH_REQUIRED')));
          },
        }),
    });
  };
}
