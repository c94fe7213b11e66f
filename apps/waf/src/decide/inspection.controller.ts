import { Controller, Inject } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { wafV1 } from '@sallyport/contracts';
import { batchReplies, serveDecide } from '@sallyport/platform';
import type { Inspector } from '@sallyport/waf';
import { InspectionStream } from './inspection-stream';
import { OpenStreams } from './open-streams';
import { inspectWhole } from './whole-request';

export const INSPECTOR = Symbol('Inspector');
export const INSPECTION_SERVICE = 'sallyport.waf.v1.InspectionService';

@Controller()
export class InspectionController {
  constructor(
    @Inject(INSPECTOR) private readonly inspector: Inspector,
    private readonly streams: OpenStreams,
  ) {}

  @GrpcStreamCall(INSPECTION_SERVICE, 'Decide')
  decide(call: ServerDuplexStream<wafV1.DecideBatch, wafV1.DecideBatchReply>): void {
    let reply = (_answers: wafV1.Answer[]): void => {};
    const answer = batchReplies<wafV1.Answer>((answers) => reply(answers));
    const stream = new InspectionStream(this.inspector, answer);
    this.streams.add(stream);
    serveDecide(call, ({ asks }, send) => {
      reply = (answers) => send({ answers });
      for (const ask of asks) stream.take(ask);
    });
    const leave = (): void => {
      stream.close();
      this.streams.delete(stream);
    };
    for (const end of ['end', 'cancelled', 'error', 'close']) call.once(end, leave);
  }

  @GrpcMethod(INSPECTION_SERVICE, 'Inspect')
  inspect(request: wafV1.InspectRequest): wafV1.InspectReply {
    return inspectWhole(this.inspector, request);
  }
}
