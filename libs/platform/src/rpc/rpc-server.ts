import 'reflect-metadata';
import { Catch, type DynamicModule, type RpcExceptionFilter, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { MethodDefinition, Server, ServiceDefinition } from '@grpc/grpc-js';
import { refuse, RefusalError } from '@sallyport/contracts';
import { HealthImplementation } from 'grpc-health-check';
import { throwError, type Observable } from 'rxjs';
import type { Address, Closable } from '../address';
import { watchAdminToken } from '../admin-token';
import { ListenError, once, removeStaleSocket } from '../listening';
import { nestLogger } from '../nest-logger';
import type { Runtime } from '../runtime';
import { demandBearer } from './credential';
import { DecideServer } from './decide-server';
import { addReflection } from './reflection';
import { statusOf } from './status';

/** Largest message in either direction. */
export const MAX_RPC_BYTES = 4 * 1024 * 1024;

export interface RpcServerOptions {
  readonly module: Type | DynamicModule;
  /** Static ts-proto definitions by full name, such as `sallyport.limits.v1.LimitService`. */
  readonly services: Readonly<Record<string, ServiceDefinition>>;
  readonly address: Address;
  readonly runtime: Runtime;
}

/**
 * Keys a static definition by the names of the proto file (`Decide`), as Nest looks handlers up, not by ts-proto's
 * (`decide`). Streams in both directions are handed over as bytes: their handlers read and write in place.
 */
export function byRpcName(service: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.values(service).map((method) => [method.path.slice(method.path.lastIndexOf('/') + 1), inBytes(method)]),
  );
}

function inBytes(method: MethodDefinition<unknown, unknown>): MethodDefinition<unknown, unknown> {
  if (!method.requestStream || !method.responseStream) return method;
  return { ...method, requestDeserialize: asIs, responseSerialize: asIs as (value: unknown) => Buffer };
}

const asIs = (bytes: unknown): unknown => bytes;

/**
 * Starts the gRPC listener of a service, with health and reflection. Unary calls are public and carry
 * `authorization: Bearer <admin token>`; streams carry the consults of ingresses and are for a private network or socket.
 * @throws ListenError when the address cannot be bound.
 */
export async function createRpcServer({ module, services, address, runtime }: RpcServerOptions): Promise<Closable> {
  await removeStaleSocket(address);
  const token = await watchAdminToken(runtime.bus);
  const health = new HealthImplementation({ '': 'NOT_SERVING' });
  const channelOptions = {
    'grpc.max_send_message_length': MAX_RPC_BYTES,
    'grpc.max_receive_message_length': MAX_RPC_BYTES,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.keepalive_permit_without_calls': 1,
    interceptors: [demandBearer(token)],
  };
  const strategy = new DecideServer(
    {
      package: packagesOf(services),
      packageDefinition: Object.fromEntries(
        Object.entries(services).map(([name, service]) => [name, byRpcName(service)]),
      ),
      gracefulShutdown: false,
      onLoadPackageDefinition: (_: unknown, server: Server) => {
        health.addToServer(server);
        addReflection(server, Object.keys(services));
      },
    },
    address,
    MAX_RPC_BYTES,
    channelOptions,
  );
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    strategy,
    logger: nestLogger(runtime.logger),
    abortOnError: false,
  });
  app.useGlobalFilters(new StatusFilter(runtime));
  try {
    await app.listen();
  } catch (error) {
    await Promise.all([app.close(), token.close()]);
    throw bindErrorOf(error, address);
  }
  for (const name of ['', ...Object.keys(services)]) health.setStatus(name, 'SERVING');
  return {
    close: once(async () => {
      for (const name of ['', ...Object.keys(services)]) health.setStatus(name, 'NOT_SERVING');
      await app.close();
      await token.close();
    }),
  };
}

/** `sallyport.limits.v1.LimitService` → `sallyport.limits.v1`, each package once. */
function packagesOf(services: Readonly<Record<string, unknown>>): string[] {
  return [...new Set(Object.keys(services).map((name) => name.slice(0, name.lastIndexOf('.'))))];
}

/** grpc-js tells the reason in its message only. */
function bindErrorOf(error: unknown, address: Address): unknown {
  const code =
    error instanceof Error ? /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL|ENOENT)\b/.exec(error.message)?.[1] : undefined;
  return code ? new ListenError(address, code) : error;
}

/** Refusals cross as a status with `google.rpc.ErrorInfo`; anything else is INTERNAL and goes into the log. */
@Catch()
class StatusFilter implements RpcExceptionFilter {
  constructor(private readonly runtime: Runtime) {}

  catch(error: unknown): Observable<never> {
    if (error instanceof RefusalError) return throwError(() => statusOf(error.refusal, error.errors));
    this.runtime.logger.error({ err: error, code: 'INTERNAL' }, 'rpc failed');
    return throwError(() => statusOf(refuse('INTERNAL')));
  }
}
