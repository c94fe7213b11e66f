import { Controller } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import {
  aiV1,
  commonV1,
  isRefusal,
  principalFromWire,
  refuse,
  refusalToWire,
  type Refusal,
  type WireReader,
  type WireWriter,
} from '@sallyport/contracts';
import { LocalRouter, type PlanQuestion } from '@sallyport/ai';
import { Replies, serveDecide, type DecideCall } from '@sallyport/platform';
import { Leases } from '../credentials/leases';

export const ROUTING_SERVICE = 'sallyport.ai.v1.RoutingService';

@Controller()
export class RoutingController {
  constructor(
    private readonly router: LocalRouter,
    private readonly leases: Leases,
  ) {}

  @GrpcStreamCall(ROUTING_SERVICE, 'Decide')
  decide(call: DecideCall): void {
    const replies = new Replies(call);
    const book = this.leases.open((renewed) => {
      for (const lease of renewed) replies.give(writeLease, lease, undefined);
    });
    const take = ({ id, body }: aiV1.Ask): void => {
      if (body?.$case === 'settle') return this.router.settle(body.value);
      if (body?.$case !== 'plan') return;
      const planned = this.plan(body.value);
      // A lease comes before the first plan that names it.
      if (!isRefusal(planned)) for (const lease of book.leasesFor(planned)) replies.give(writeLease, lease, undefined);
      replies.give(writePlanned, id, planned);
    };
    serveDecide(
      call,
      replies,
      (reader) => readAsks(reader, take),
      () => this.leases.leave(book),
    );
  }

  /** For integrators: what would be done, and why. A credential is never in it. */
  @GrpcMethod(ROUTING_SERVICE, 'Plan')
  explain(request: aiV1.PlanRequest): aiV1.PlanReply {
    const question = questionOf(request);
    const outcome = question ? this.router.explain(question) : malformed();
    if (isRefusal(outcome)) return { body: { $case: 'refused', value: refusalToWire(outcome) } };
    return { body: { $case: 'plan', value: outcome } };
  }

  private plan(request: aiV1.PlanRequest): aiV1.RoutePlan | Refusal {
    const question = questionOf(request);
    let planned: aiV1.RoutePlan | Refusal = malformed();
    // The engine answers before it returns.
    if (question) {
      this.router.plan(question, (outcome) => {
        planned = isRefusal(outcome) ? outcome : outcome.plan;
      });
    }
    return planned;
  }
}

function readAsks(reader: WireReader, take: (ask: aiV1.Ask) => void): void {
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) take(aiV1.Ask.decode(reader.view()));
    else reader.skip(tag);
  }
}

/** Both are fields of `DecideBatchReply`, which may stand in any order. */
function writeLease(writer: WireWriter, lease: aiV1.CredentialLease): void {
  writer.message(0x12, aiV1.CredentialLease.encode(lease).finish());
}

function writePlanned(writer: WireWriter, id: number, planned: aiV1.RoutePlan | Refusal): void {
  const answer = writer.open(0x0a);
  writer.present(0x08, id);
  if (isRefusal(planned)) {
    writer.message(0x1a, refusalBytes(planned));
    writer.text(0x22, planned.reason ?? '');
  } else writer.message(0x12, aiV1.RoutePlan.encode(planned).finish());
  writer.close(answer);
}

function refusalBytes(refusal: Refusal): Uint8Array {
  return commonV1.Refusal.encode(refusalToWire(refusal)).finish();
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

function malformed(): Refusal {
  return refuse('REQUEST_MALFORMED', { reason: 'a plan needs a principal' });
}
