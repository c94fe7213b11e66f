import { Controller, Inject, Module, type DynamicModule } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { authV1, readVerifies, writeVerified } from '@sallyport/contracts';
import { LocalVerifier } from '@sallyport/identity';
import { Replies, serveDecide, type DecideCall } from '@sallyport/platform';
import { answer, askedOf, replyOf } from './answer';

const CLOCK_FAULT = Symbol('clock fault');
/** Why nothing may be decided by the clock of this process; undefined while it may. */
type ClockFault = () => string | undefined;

/** `sallyport.auth.v1.VerificationService` over the engine. */
@Controller()
class VerificationController {
  constructor(
    @Inject(LocalVerifier) private readonly engine: LocalVerifier,
    @Inject(CLOCK_FAULT) private readonly clockFault: ClockFault,
  ) {}

  @GrpcStreamCall('VerificationService', 'Decide')
  decide(call: DecideCall): void {
    const replies = new Replies(call);
    serveDecide(
      call,
      replies,
      (reader) =>
        readVerifies(reader, (id, asked) =>
          // The ingress then decides by its own clock, which may be right.
          this.clockFault() === undefined
            ? answer(this.engine, asked, (outcome) => replies.give(writeVerified, id, outcome))
            : replies.give(writeVerified, id, 'unknown'),
        ),
      () => {},
    );
  }

  @GrpcMethod('VerificationService', 'Verify')
  verify(request: authV1.VerifyRequest): Promise<authV1.VerifyReply> {
    return new Promise((resolve) => answer(this.engine, askedOf(request), (outcome) => resolve(replyOf(outcome))));
  }
}

@Module({})
export class VerificationModule {
  static over(engine: LocalVerifier, clockFault: ClockFault): DynamicModule {
    return {
      module: VerificationModule,
      controllers: [VerificationController],
      providers: [
        { provide: LocalVerifier, useValue: engine },
        { provide: CLOCK_FAULT, useValue: clockFault },
      ],
    };
  }
}

/** What the gRPC listener of auth serves. */
export const verificationServices = { 'sallyport.auth.v1.VerificationService': authV1.VerificationServiceService };
