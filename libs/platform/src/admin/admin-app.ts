import 'reflect-metadata';
import { Catch, type ArgumentsHost, type DynamicModule, type ExceptionFilter, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { headers, problemOf, refuse, RefusalError, requestId } from '@sallyport/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bearerOf, type AdminToken } from '../admin-token';
import type { Address, Closable } from '../address';
import { ListenError, once, removeStaleSocket } from '../listening';
import { nestLogger } from '../nest-logger';
import type { Runtime } from '../runtime';
import { actorOf } from './actor';
import { failureOf } from './failures';
import { SchemaPipe } from './validation';

/** Largest body of an admin request: a declarative file or an OpenAPI document. */
const MAX_BODY_BYTES = 5 * 1024 * 1024;
/** Longest name in a path: those of models have 128 characters, each of which may be escaped. */
const MAX_PARAMETER_LENGTH = 512;

export interface AdminAppOptions {
  readonly module: Type | DynamicModule;
  /** `''` for the catalog, whose paths begin with /api/v1; any other area's begin with /api/<area>/v1. */
  readonly area: string;
  readonly address: Address;
  readonly runtime: Runtime;
  readonly adminToken: AdminToken;
  /** Title of the OpenAPI document. */
  readonly title: string;
  /**
   * Adds routes and hooks below Nest, before it starts. A route needs the admin token unless its config says `open: true`.
   */
  readonly onFastify?: (instance: FastifyInstance) => void;
}

/**
 * Starts a private admin listener: Nest on Fastify, the admin token asked of every route, every failure a problem document.
 * `GET <prefix>/openapi.json` describes it; what makes that document is loaded when it is first asked for.
 * @throws ListenError when the address cannot be bound.
 */
export async function createAdminApp(options: AdminAppOptions): Promise<Closable & { openApi(): object }> {
  const { area, runtime } = options;
  const prefix = area === '' ? '/api/v1' : `/api/${area}/v1`;
  const failures = new Failures(area, runtime);
  const adapter = new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    genReqId: () => requestId(runtime.random),
    requestIdHeader: false,
    logger: false,
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    // Of another Fastify than ours by its types, and the same at work.
    frameworkErrors: (error: unknown, request: unknown, reply: unknown) =>
      failures.answer(error, request as FastifyRequest, reply as FastifyReply),
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  // Fastify reads JSON and text by itself; text would reach handlers that expect a document.
  fastify.removeContentTypeParser('text/plain');
  guard(fastify, options.adminToken);
  options.onFastify?.(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(options.module, adapter, {
    logger: nestLogger(runtime.logger),
    abortOnError: false,
    bodyParser: false,
  });
  app.setGlobalPrefix(prefix);
  app.useGlobalPipes(new SchemaPipe());
  app.useGlobalFilters(failures);
  const openApi = remembered(() => describeApi(app, options.title, runtime.config.publicUrl));
  fastify.get(`${prefix}/openapi.json`, async () => openApi());
  await start(app, fastify, options.address);
  return { openApi, close: once(() => app.close()) };
}

/** Names every answer, and lets nothing pass that does not carry the admin token. */
function guard(fastify: FastifyInstance, token: AdminToken): void {
  fastify.addHook('onRequest', async (request, reply) => {
    reply.header(headers.requestId, request.id);
    // Asked of the route that matched, not of the path: percent-encoding spells one path in many ways.
    if (request.routeOptions.config.open === true) return;
    const presented = bearerOf(request.headers.authorization);
    if (presented === undefined || !token.accepts(presented)) throw new RefusalError(refuse('AUTH_REQUIRED'));
    request.actor = actorOf(request.headers['x-sallyport-via']);
  });
}

async function start(app: NestFastifyApplication, fastify: FastifyInstance, address: Address): Promise<void> {
  await removeStaleSocket(address);
  try {
    await app.init();
    await fastify.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port });
  } catch (error) {
    await app.close();
    throw isBindError(error) ? new ListenError(address, error.code!) : error;
  }
}

function isBindError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'listen';
}

/** The one place where an admin failure becomes an answer: of Nest's handlers, and of paths that no route can be asked for. */
@Catch()
class Failures implements ExceptionFilter {
  constructor(
    private readonly area: string,
    private readonly runtime: Runtime,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const failure = failureOf(error, {
      area: this.area || 'catalog',
      method: request.method,
      path: request.url.split('?', 1)[0]!,
      maxBytes: MAX_BODY_BYTES,
    });
    if (failure.internal) {
      this.runtime.logger.error(
        { err: error, request_id: request.id, code: failure.refusal.code },
        'admin request failed',
      );
    }
    const problem = problemOf(failure.refusal, {
      requestId: request.id,
      publicUrl: this.runtime.config.publicUrl,
      violations: failure.violations,
    });
    void reply
      .code(problem.status)
      .headers({ ...problem.headers, [headers.requestId]: request.id })
      .send(Buffer.from(JSON.stringify(problem.body)));
  }
}

/** Swagger costs 0.3 s and 30 MB: it is loaded for the reader of the document, not for every start. */
function describeApi(app: NestFastifyApplication, title: string, publicUrl: string): object {
  const { DocumentBuilder, SwaggerModule } = require('@nestjs/swagger') as typeof import('@nestjs/swagger');
  const { cleanupOpenApiDoc } = require('nestjs-zod') as typeof import('nestjs-zod');
  const frame = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(title)
    .setVersion('1')
    .setExternalDoc('Problems', `${publicUrl}/problems`)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'The admin token.' }, 'admin')
    .addSecurityRequirements('admin')
    .build();
  return cleanupOpenApiDoc(SwaggerModule.createDocument(app, frame));
}

function remembered<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
