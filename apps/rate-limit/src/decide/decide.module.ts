import { Module, type DynamicModule } from '@nestjs/common';
import type { Limiter } from '@sallyport/limits';
import { LIMITER, LimitsController, SHARED } from './limits.controller';
import { LiveNodes } from './live-nodes';

/** What the gRPC listener serves. */
@Module({})
export class DecideModule {
  static over(limiter: Limiter, nodes: LiveNodes, shared = false): DynamicModule {
    return {
      module: DecideModule,
      controllers: [LimitsController],
      providers: [
        { provide: SHARED, useValue: shared },
        { provide: LIMITER, useValue: limiter },
        { provide: LiveNodes, useValue: nodes },
      ],
    };
  }
}
