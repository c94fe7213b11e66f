import { Module, type DynamicModule } from '@nestjs/common';
import type { Inspector } from '@sallyport/waf';
import { INSPECTOR, InspectionController } from './inspection.controller';
import { OpenStreams } from './open-streams';

/** What the gRPC listener serves. */
@Module({})
export class DecideModule {
  static over(inspector: Inspector, streams: OpenStreams): DynamicModule {
    return {
      module: DecideModule,
      controllers: [InspectionController],
      providers: [
        { provide: INSPECTOR, useValue: inspector },
        { provide: OpenStreams, useValue: streams },
      ],
    };
  }
}
