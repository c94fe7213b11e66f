import { Controller, Inject } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { readSpends, refuse, RefusalError, writeCensus, writeSpending, type limitsV1 } from '@sallyport/contracts';
import type { Limiter, Spending } from '@sallyport/limits';
import { Replies, serveDecide, type DecideCall } from '@sallyport/platform';
import { LiveNodes } from './live-nodes';

export const LIMITER = Symbol('Limiter');
export const SHARED = Symbol('Shared');
export const LIMIT_SERVICE = 'sallyport.limits.v1.LimitService';

@Controller()
export class LimitsController {
  /** @param shared whether every replica counts in one place. */
  constructor(
    @Inject(LIMITER) private readonly limiter: Limiter,
    private readonly nodes: LiveNodes,
    @Inject(SHARED) private readonly shared: boolean,
  ) {}

  @GrpcStreamCall(LIMIT_SERVICE, 'Decide')
  decide(call: DecideCall): void {
    const replies = new Replies(call, (writer) => writeCensus(writer, this.nodes.count, this.shared));
    const seat = this.nodes.join(() => replies.soon());
    let greeted = false;
    const taker = {
      node: (name: string): void => seat.name(name),
      spend: (id: number, tenant: string, charges: limitsV1.Charge[] | undefined): void =>
        this.spendOn(tenant, charges, (spending) => replies.give(writeSpending, id, spending)),
    };
    serveDecide(
      call,
      replies,
      (reader) => {
        readSpends(reader, taker);
        // The asking process wants to be counted, and to know how many there are, before it asks.
        if (!greeted) replies.soon();
        greeted = true;
      },
      () => seat.leave(),
    );
  }

  @GrpcMethod(LIMIT_SERVICE, 'Spend')
  spend({ tenant, charges }: limitsV1.SpendRequest): Promise<limitsV1.SpendReply> {
    return new Promise((resolve, reject) =>
      this.spendOn(tenant, charges, (spending) => {
        const reason = 'every charge needs a limit, a window and a burst within the limit';
        if (spending) resolve(replyOf(spending));
        else reject(new RefusalError(refuse('REQUEST_MALFORMED', { reason })));
      }),
    );
  }

  /** Answers nothing to what cannot be counted; whoever asked then decides as if nobody had been here. */
  private spendOn(
    tenant: string,
    charges: limitsV1.Charge[] | undefined,
    done: (spending: Spending | undefined) => void,
  ): void {
    if (!charges || !charges.every(isSound)) return done(undefined);
    this.limiter.spend(tenant, charges, done);
  }
}

function isSound({ limit, windowSeconds, burst }: limitsV1.Charge): boolean {
  return limit > 0 && windowSeconds > 0 && windowSeconds <= 31_622_400 && burst <= limit;
}

/** The generated type asks for an array that may be written; it is only read. */
function replyOf({ allowed, standings }: Spending): limitsV1.SpendReply {
  return { allowed, standings: standings as limitsV1.Standing[] };
}
