import { Module, type DynamicModule } from '@nestjs/common';
import type { Limiter } from '@sallyport/limits';
import { LIMITER, LimitsController } from './limits.controller';
import { LiveNodes } from './live-nodes';

/** What the gRPC listener serves. */
@Module({})
export class DecideModule {
  static over(limiter: Limiter, nodes: LiveNodes): DynamicModule {
    return {
      module: DecideModule,
      controllers: [LimitsController],
      providers: [
        { provide: LIMITER, useValue: limiter },
        { provide: LiveNodes, useValue: nodes },
      ],
    };
  }
}
