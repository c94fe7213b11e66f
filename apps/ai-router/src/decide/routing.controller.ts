import { Controller } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { isRefusal, principalFromWire, refuse, refusalToWire, type aiV1 } from '@sallyport/contracts';
import { LocalRouter, type PlanQuestion } from '@sallyport/ai';
import { batchReplies, serveDecide } from '@sallyport/platform';
import { Leases } from '../credentials/leases';

export const ROUTING_SERVICE = 'sallyport.ai.v1.RoutingService';

type Body = aiV1.Answer['body'];

@Controller()
export class RoutingController {
  constructor(
    private readonly router: LocalRouter,
    private readonly leases: Leases,
  ) {}

  @GrpcStreamCall(ROUTING_SERVICE, 'Decide')
  decide(call: ServerDuplexStream<aiV1.DecideBatch, aiV1.DecideBatchReply>): void {
    let send = (_reply: aiV1.DecideBatchReply): void => {};
    let leases: aiV1.CredentialLease[] = [];
    const book = this.leases.open((renewed) => send({ answers: [], leases: renewed }));
    const answer = batchReplies<aiV1.Answer>((answers) => {
      const due = leases;
      leases = [];
      send({ answers, leases: due });
    });
    serveDecide(call, ({ asks }, sendReply) => {
      send = sendReply;
      for (const { id, body } of asks) {
        if (body?.$case === 'settle') this.router.settle(body.value);
        else if (body?.$case === 'plan') {
          const planned = this.plan(body.value);
          if (planned?.$case === 'plan') leases.push(...book.leasesFor(planned.value));
          answer({ id, body: planned });
        }
      }
    });
    for (const end of ['end', 'cancelled', 'error', 'close']) call.once(end, () => this.leases.leave(book));
  }

  /** For integrators: what would be done, and why. A credential is never in it. */
  @GrpcMethod(ROUTING_SERVICE, 'Plan')
  explain(request: aiV1.PlanRequest): aiV1.PlanReply {
    const question = questionOf(request);
    return { body: question ? bodyOf(this.router.explain(question)) : malformed() };
  }

  private plan(request: aiV1.PlanRequest): Body {
    const question = questionOf(request);
    if (!question) return malformed();
    let body: Body;
    // The engine answers before it returns.
    this.router.plan(question, (outcome) => {
      body = bodyOf(isRefusal(outcome) ? outcome : outcome.plan);
    });
    return body;
  }
}

function questionOf(request: aiV1.PlanRequest): PlanQuestion | undefined {
  if (!request.principal) return undefined;
  return {
    requestId: request.requestId,
    tenant: request.tenant,
    principal: principalFromWire(request.principal),
    model: request.model,
    stream: request.stream,
    inputBytes: request.inputBytes,
    maxOutputTokens: request.maxOutputTokens,
  };
}

function bodyOf(outcome: ReturnType<LocalRouter['explain']>): Body {
  return isRefusal(outcome) ? { $case: 'refused', value: refusalToWire(outcome) } : { $case: 'plan', value: outcome };
}

function malformed(): Body {
  const reason = 'a plan needs a principal';
  return { $case: 'refused', value: refusalToWire(refuse('REQUEST_MALFORMED', { reason })) };
}
