import { Controller, Inject, Module, type DynamicModule } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { authV1 } from '@sallyport/contracts';
import { LocalVerifier } from '@sallyport/identity';
import { batchReplies, serveDecide } from '@sallyport/platform';
import { answer } from './answer';

/** `sallyport.auth.v1.VerificationService` over the engine. */
@Controller()
class VerificationController {
  constructor(@Inject(LocalVerifier) private readonly engine: LocalVerifier) {}

  @GrpcStreamCall('VerificationService', 'Decide')
  decide(call: ServerDuplexStream<authV1.DecideBatch, authV1.DecideBatchReply>): void {
    serveDecide(call, ({ asks }, send) => {
      const gather = batchReplies<authV1.Answer>((answers) => send({ answers }));
      for (const { id, verify } of asks) if (verify) answer(this.engine, verify, (reply) => gather({ id, reply }));
    });
  }

  @GrpcMethod('VerificationService', 'Verify')
  verify(request: authV1.VerifyRequest): Promise<authV1.VerifyReply> {
    return new Promise((resolve) => answer(this.engine, request, resolve));
  }
}

@Module({})
export class VerificationModule {
  static over(engine: LocalVerifier): DynamicModule {
    return {
      module: VerificationModule,
      controllers: [VerificationController],
      providers: [{ provide: LocalVerifier, useValue: engine }],
    };
  }
}

/** What the gRPC listener of auth serves. */
export const verificationServices = { 'sallyport.auth.v1.VerificationService': authV1.VerificationServiceService };
