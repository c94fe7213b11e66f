import 'reflect-metadata';
import { Catch, type DynamicModule, type RpcExceptionFilter, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { type Server, type ServiceDefinition } from '@grpc/grpc-js';
import { refuse, RefusalError } from '@sallyport/contracts';
import { HealthImplementation } from 'grpc-health-check';
import { throwError, type Observable } from 'rxjs';
import { authorityOf, type Address, type Closable } from '../address';
import { watchAdminToken } from '../admin-token';
import { ListenError, once, removeStaleSocket } from '../listening';
import { nestLogger } from '../nest-logger';
import type { Runtime } from '../runtime';
import { demandBearer } from './credential';
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

/** Keys a static definition by the names of the proto file (`Decide`), as Nest looks handlers up, not by ts-proto's (`decide`). */
export function byRpcName(service: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.values(service).map((method) => [method.path.slice(method.path.lastIndexOf('/') + 1), method]),
  );
}

/**
 * Starts the gRPC listener of a service, with health and reflection. Unary calls are public and carry
 * `authorization: Bearer <admin token>`; streams carry the consults of ingresses and are for a private network or socket.
 * @throws ListenError when the address cannot be bound.
 */
export async function createRpcServer({ module, services, address, runtime }: RpcServerOptions): Promise<Closable> {
  await removeStaleSocket(address);
  const token = await watchAdminToken(runtime.bus);
  const health = new HealthImplementation({ '': 'NOT_SERVING' });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    transport: Transport.GRPC,
    options: {
      url: 'path' in address ? `unix:${address.path}` : authorityOf(address.host, address.port),
      package: packagesOf(services),
      packageDefinition: Object.fromEntries(
        Object.entries(services).map(([name, service]) => [name, byRpcName(service)]),
      ),
      maxReceiveMessageLength: MAX_RPC_BYTES,
      maxSendMessageLength: MAX_RPC_BYTES,
      keepalive: { keepaliveTimeMs: 20_000, keepaliveTimeoutMs: 10_000, keepalivePermitWithoutCalls: 1 },
      channelOptions: { interceptors: [demandBearer(token)] } as object,
      gracefulShutdown: false,
      onLoadPackageDefinition: (_: unknown, server: Server) => {
        health.addToServer(server);
        addReflection(server, Object.keys(services));
      },
    },
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
