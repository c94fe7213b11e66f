import { Controller, Inject } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { readSteps, writeInspected, type wafV1 } from '@sallyport/contracts';
import { Replies, serveDecide, type DecideCall } from '@sallyport/platform';
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
  decide(call: DecideCall): void {
    const replies = new Replies(call);
    const stream = new InspectionStream(this.inspector, (exchange, said) =>
      replies.give(writeInspected, exchange, said),
    );
    this.streams.add(stream);
    serveDecide(
      call,
      replies,
      (reader) => readSteps(reader, stream),
      () => {
        stream.closeAll();
        this.streams.delete(stream);
      },
    );
  }

  @GrpcMethod(INSPECTION_SERVICE, 'Inspect')
  inspect(request: wafV1.InspectRequest): Promise<wafV1.InspectReply> {
    return inspectWhole(this.inspector, request);
  }
}
