import { HttpException } from '@nestjs/common';
import { refuse, RefusalError, type Refusal, type Violation } from '@sallyport/contracts';
import { BusUnavailable } from '../bus';

/** What an error of an admin request means to the caller. */
export interface Failure {
  readonly refusal: Refusal;
  readonly violations?: readonly Violation[];
  /** True when the error is a defect of ours, or of a server behind us, and belongs into the log. */
  readonly internal: boolean;
}

/** What of the request the sentences of refusals name. */
export interface FailedRequest {
  readonly area: string;
  readonly method: string;
  readonly path: string;
  readonly maxBytes: number;
}

/** Turns whatever a handler, the framework or the database driver threw into a refusal. */
export function failureOf(error: unknown, request: FailedRequest): Failure {
  if (error instanceof RefusalError) return { refusal: error.refusal, violations: error.errors, internal: false };
  const refusal = bodyRefusal(error) ?? frameworkRefusal(error, request);
  if (refusal) return { refusal, internal: false };
  if (isUnavailable(error)) return { refusal: refuse('ADMIN_UNAVAILABLE', { area: request.area }), internal: true };
  return { refusal: refuse('INTERNAL'), internal: true };
}

/** What Fastify says of a body it could not read. */
function bodyRefusal(error: unknown): Refusal | undefined {
  switch (codeOf(error)) {
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return refuse('REQUEST_MALFORMED', { reason: 'the body is empty but announced as JSON' });
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return refuse('REQUEST_MALFORMED', { reason: 'the body is not as long as Content-Length says' });
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return refuse('REQUEST_MALFORMED', { reason: 'the body is not JSON' });
  }
  const isBrokenJson = error instanceof SyntaxError && (error as { statusCode?: number }).statusCode === 400;
  return isBrokenJson ? refuse('REQUEST_MALFORMED', { reason: 'the body is not JSON' }) : undefined;
}

/** What Nest and Fastify refuse by themselves, such as an unknown path. */
function frameworkRefusal(error: unknown, { method, path, maxBytes }: FailedRequest): Refusal | undefined {
  const status =
    error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown } | null)?.statusCode;
  if (status === 404) return refuse('ROUTE_NOT_FOUND', { method, path });
  if (status === 413) return refuse('BODY_TOO_LARGE', { maxBytes });
  if (status === 415) return refuse('MEDIA_TYPE_UNSUPPORTED', { accepted: 'application/json' });
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return refuse('REQUEST_MALFORMED', { reason: 'the request does not fit this address' });
  }
  return undefined;
}

/** Transport errors of Node, and of pg and TypeORM when a connection cannot be had. */
const TRANSPORT = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);
/**
 * SQLSTATE values: class 08 connection exception, 53300 too many connections, 55P03 lock not available, 57014 statement
 * timeout, 57P01 to 57P03 the server goes down or comes up.
 */
const SQLSTATE = /^(08...|53300|55P03|57014|57P0[123])$/;
const DRIVER =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|not established|Client has encountered a connection error/i;

function isUnavailable(error: unknown): boolean {
  // Told by shape: an error of Node's own is no instance of the Error of another realm, such as a test runner's.
  for (let cause: unknown = error, depth = 0; typeof cause === 'object' && cause !== null && depth < 4; depth++) {
    const code = codeOf(cause);
    if (code !== undefined && (TRANSPORT.has(code) || SQLSTATE.test(code))) return true;
    if (cause instanceof BusUnavailable) return true;
    if (DRIVER.test(String((cause as { message?: unknown }).message))) return true;
    cause = (cause as { driverError?: unknown }).driverError ?? firstOf(cause) ?? (cause as { cause?: unknown }).cause;
  }
  return false;
}

/** Node joins the failures of every address of a host into one AggregateError. */
function firstOf(error: object): unknown {
  const { errors } = error as { errors?: unknown };
  return Array.isArray(errors) ? (errors as unknown[])[0] : undefined;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
