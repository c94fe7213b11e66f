import { Module, type DynamicModule } from '@nestjs/common';
import { RulesController } from './rules.controller';
import { STATUS, StatusController, type InspectionStatus } from './status.controller';

/** What the private admin listener serves under /api/waf/v1. */
@Module({})
export class AdminModule {
  static over(status: () => InspectionStatus): DynamicModule {
    return {
      module: AdminModule,
      controllers: [RulesController, StatusController],
      providers: [{ provide: STATUS, useValue: status }],
    };
  }
}
