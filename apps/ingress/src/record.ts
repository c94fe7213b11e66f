import { refuse, semconv, type Clock, type RandomBytes, type Refusal } from '@sallyport/contracts';
import { parseApiKey } from '@sallyport/identity';
import type { Standing } from '@sallyport/limits';
import type { Counter, Logger, Metrics } from '@sallyport/platform';
import {
  requestAdmitted,
  requestCompleted,
  sessionRefused,
  type Pseudonym,
  type RequestFacts,
  type RouteFacts,
  type Trail,
  type WafFacts,
} from '@sallyport/trail';
import type { Exchange } from './exchange';
import { RequestMeters } from './request-meters';
import type { WafFactTeller } from './waf-facts';

/** How long an answer waits for a spool that refuses, so that a short shortage costs no record. */
const REFUSED_SPOOL_MS = 20;

export interface RecorderParts {
  readonly trail: Trail;
  readonly pseudonym: Pseudonym;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly wafFacts: Pick<WafFactTeller, 'tell'>;
  /** Records carry the port of the caller: a test finds them by it. */
  readonly showSourcePort: boolean;
}

/** Bytes that no request could be read from. */
export interface BrokenRequest {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly clientAddress: string;
  readonly sourcePort: number | undefined;
  readonly status: number;
  readonly refusal: Refusal;
  readonly waf: WafFacts;
}

/** Settles an exchange: one audit record, one span, one set of metrics. */
export class Recorder {
  private readonly meters: RequestMeters;
  private readonly logsRequests: boolean;
  private readonly unaudited: Counter;

  constructor(private readonly parts: RecorderParts) {
    const { metrics } = parts;
    this.meters = new RequestMeters(metrics);
    this.logsRequests = parts.logger.isLevelEnabled('debug');
    this.unaudited = metrics.counter(
      'sallyport_audit_unaudited_total',
      'Requests answered without a record, because the spool refused',
    );
  }

  /** Puts the exchange on record, once; `go` when the record survives the death of this process, or cannot be had. */
  readonly record = (exchange: Exchange, go: () => void): void => {
    if (exchange.recorded) return go();
    exchange.recorded = true;
    const endedAt = this.parts.clock.now();
    this.measure(exchange, endedAt);
    this.parts.wafFacts.tell(exchange);
    const facts = this.factsOf(exchange, endedAt);
    if (exchange.refusal?.code.startsWith('AUTH_')) this.refusedSession(exchange, exchange.refusal);
    this.parts.trail.append(requestCompleted(facts)).written.then(go, () => {
      this.unaudited.add();
      setTimeout(go, REFUSED_SPOOL_MS);
    });
  };

  /** Puts bytes that were no request on record; `go` as of an exchange. */
  readonly recordBroken = (broken: BrokenRequest, go: () => void): void => {
    const { random, pseudonym, clock, showSourcePort, trail } = this.parts;
    const facts: RequestFacts = {
      ...broken,
      now: clock.now(),
      random,
      pseudonym,
      tenant: 'default',
      endedAt: clock.now(),
      method: 'unknown',
      path: '/',
      bytesIn: 0,
      bytesOut: 0,
      outcome: 'refused',
      sourcePort: showSourcePort ? broken.sourcePort : undefined,
    };
    trail.append(requestCompleted(facts)).written.then(go, () => {
      this.unaudited.add();
      go();
    });
  };

  /** Records that a request of a regulated route is let in; calls back when the disk has it. */
  readonly recordAdmission = (exchange: Exchange, done: (refusal?: Refusal) => void): void => {
    const { trail } = this.parts;
    if (!trail.room()) return done(refuse('AUDIT_UNAVAILABLE'));
    const facts = this.factsOf(exchange, this.parts.clock.now());
    trail.append(requestAdmitted(facts)).durable.then(
      () => done(),
      () => done(refuse('AUDIT_UNAVAILABLE')),
    );
  };

  private measure(exchange: Exchange, endedAt: number): void {
    const { span, answer, compiled } = exchange;
    const code = exchange.refusal?.code ?? answer.status;
    this.meters.count(compiled?.route, code, (endedAt - exchange.startedAt) / 1000);
    span?.set(semconv.httpStatus, answer.status);
    const failed = exchange.outcome !== 'ok' && answer.status >= 500;
    span?.end(failed ? { endTime: endedAt, error: errorOf(exchange) } : { endTime: endedAt });
    if (span && !span.context.sampled && this.logsRequests) this.logLine(exchange, endedAt);
  }

  /** Where no span says it, one line does; neither bodies nor queries nor credentials stand in it. */
  private logLine(exchange: Exchange, endedAt: number): void {
    this.parts.logger.debug(
      {
        request_id: exchange.requestId,
        trace_id: exchange.trace?.traceId,
        tenant: exchange.compiled?.route.tenant,
        code: exchange.refusal?.code,
        status: exchange.answer.status,
        route: exchange.compiled?.route.id,
        ms: endedAt - exchange.startedAt,
      },
      'request',
    );
  }

  private factsOf(exchange: Exchange, endedAt: number): RequestFacts {
    const { answer, compiled, trace } = exchange;
    const { method, path, clientAddress } = callFacts(exchange);
    return {
      now: endedAt,
      random: this.parts.random,
      pseudonym: this.parts.pseudonym,
      requestId: exchange.requestId,
      tenant: compiled?.route.tenant ?? 'default',
      startedAt: exchange.startedAt,
      endedAt,
      // Not spread: what stands behind a spread in a literal is added member by member.
      method,
      path,
      clientAddress,
      sourcePort: this.parts.showSourcePort ? exchange.incoming.socket.remotePort : undefined,
      status: answer.status,
      bytesIn: exchange.body.bytes,
      bytesOut: answer.bytes,
      outcome: exchange.outcome ?? 'client_aborted',
      grpcStatus: exchange.grpcStatus,
      refusal: exchange.refusal,
      route: compiled && routeFacts(exchange),
      configVersion: exchange.configuration?.revision,
      principal: exchange.principal,
      upstream: upstreamFacts(exchange),
      canary: exchange.canary,
      decidedBy: exchange.decidedBy,
      skipped: exchange.skipped,
      limit: exchange.standings.length > 0 ? nearestLimit(exchange.standings) : undefined,
      waf: exchange.verdict && wafFacts(exchange),
      model: exchange.model,
      trace: trace && { traceId: trace.traceId, spanId: trace.spanId },
    };
  }

  /** A refused credential has a record of its own, with the reason the caller is not told. */
  private refusedSession(exchange: Exchange, refusal: Refusal): void {
    const { request, compiled, trace } = exchange;
    const credential = publicIdOf(exchange);
    if (!request?.field.has('authorization') && !request?.field.has('x-api-key')) return;
    const event = sessionRefused({
      now: this.parts.clock.now(),
      random: this.parts.random,
      pseudonym: this.parts.pseudonym,
      tenant: compiled?.route.tenant ?? 'default',
      requestId: exchange.requestId,
      refusal,
      ...(credential && { credential }),
      clientAddress: request.clientAddress,
      ...(compiled && { route: compiled.route.id }),
      decidedBy: exchange.decidedBy.auth ?? 'local',
      ...(trace && { trace: { traceId: trace.traceId, spanId: trace.spanId } }),
    });
    this.parts.trail.append(event).written.catch(() => this.unaudited.add());
  }
}

function errorOf({ refusal, outcome }: Exchange): string {
  return refusal?.code ?? outcome ?? 'client_aborted';
}

/** What was asked; of a request that could not be read, only where it came from is known. */
function callFacts({ request, incoming }: Exchange): Pick<RequestFacts, 'method' | 'path' | 'clientAddress'> {
  if (request) return { method: request.method, path: request.path, clientAddress: request.clientAddress };
  return { method: 'unknown', path: '/', clientAddress: incoming.socket.remoteAddress ?? 'unknown' };
}

function upstreamFacts({ upstreamHost: host, failedAttempts: failed }: Exchange): RequestFacts['upstream'] {
  if (host === undefined) return undefined;
  return failed === undefined ? { host } : { host, failed };
}

function routeFacts(exchange: Exchange): RouteFacts {
  const { id, service, version, class: routeClass } = exchange.route;
  return { id, service, version, class: routeClass };
}

function nearestLimit(standings: readonly Standing[]): { policy: string; remaining: number } {
  const { policy, remaining } = standings.reduce((nearest, standing) =>
    standing.remaining / standing.limit < nearest.remaining / nearest.limit ? standing : nearest,
  );
  return { policy, remaining };
}

function wafFacts({ verdict, hits, scores, ruleset, inspected }: Exchange): WafFacts {
  return {
    verdict: verdict ?? 'pass',
    hits,
    ...(scores && { scores }),
    ...(ruleset !== undefined && { ruleset }),
    ...(inspected && { inspected }),
  };
}

/** The public part of what was presented: the key's id, never the key. */
function publicIdOf({ request }: Exchange): { kind: string; id: string } | undefined {
  const presented =
    request?.field.get('authorization')?.replace(/^Bearer /, '') ?? request?.field.get('x-api-key') ?? '';
  const key = parseApiKey(presented);
  return key ? { kind: 'api-key', id: key.kid } : undefined;
}
