import { Controller, Inject } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { refuse, RefusalError, type limitsV1 } from '@sallyport/contracts';
import type { Limiter, Spending } from '@sallyport/limits';
import { batchReplies, serveDecide } from '@sallyport/platform';
import { LiveNodes } from './live-nodes';

export const LIMITER = Symbol('Limiter');
export const LIMIT_SERVICE = 'sallyport.limits.v1.LimitService';

@Controller()
export class LimitsController {
  constructor(
    @Inject(LIMITER) private readonly limiter: Limiter,
    private readonly nodes: LiveNodes,
  ) {}

  @GrpcStreamCall(LIMIT_SERVICE, 'Decide')
  decide(call: ServerDuplexStream<limitsV1.DecideBatch, limitsV1.DecideBatchReply>): void {
    let reply = (_answers: limitsV1.Answer[]): void => {};
    const answer = batchReplies<limitsV1.Answer>((answers) => reply(answers));
    const seat = this.nodes.join(() => reply([]));
    serveDecide(call, ({ node, asks }, send) => {
      reply = (answers) => send({ answers, liveNodes: this.nodes.count });
      seat.name(node);
      // A greeting: the asking process wants to be counted, and to know how many there are.
      if (asks.length === 0) reply([]);
      for (const { id, spend } of asks) this.spendOn(spend, (spent) => answer({ id, reply: spent }));
    });
    for (const end of ['end', 'cancelled', 'error', 'close']) call.once(end, () => seat.leave());
  }

  @GrpcMethod(LIMIT_SERVICE, 'Spend')
  spend(request: limitsV1.SpendRequest): Promise<limitsV1.SpendReply> {
    return new Promise((resolve, reject) =>
      this.spendOn(request, (reply) => {
        const reason = 'every charge needs a limit, a window and a burst within the limit';
        if (reply) resolve(reply);
        else reject(new RefusalError(refuse('REQUEST_MALFORMED', { reason })));
      }),
    );
  }

  /** Answers nothing to what cannot be counted; whoever asked then decides as if nobody had been here. */
  private spendOn(
    request: limitsV1.SpendRequest | undefined,
    done: (reply: limitsV1.SpendReply | undefined) => void,
  ): void {
    if (!request || !request.charges.every(isSound)) return done(undefined);
    this.limiter.spend(request.tenant, request.charges, (spending) => done(replyOf(spending)));
  }
}

function isSound({ limit, windowSeconds, burst }: limitsV1.Charge): boolean {
  return limit > 0 && windowSeconds > 0 && windowSeconds <= 31_622_400 && burst <= limit;
}

/** The generated type asks for an array that may be written; it is only read. */
function replyOf({ allowed, standings }: Spending): limitsV1.SpendReply {
  return { allowed, standings: standings as limitsV1.Standing[] };
}
