import { Module, type DynamicModule } from '@nestjs/common';
import { ADMINISTRATION, type Administration } from './administration';
import { KillsController } from './kills.controller';
import { PreviewController } from './preview.controller';
import { RulesController } from './rules.controller';
import { RuleSetsController } from './rulesets.controller';
import { STATUS, StatusController, type InspectionStatus } from './status.controller';

/** What the private admin listener serves under /api/waf/v1. */
@Module({})
export class AdminModule {
  static over(status: () => InspectionStatus, administration: Administration): DynamicModule {
    return {
      module: AdminModule,
      controllers: [RulesController, RuleSetsController, KillsController, PreviewController, StatusController],
      providers: [
        { provide: STATUS, useValue: status },
        { provide: ADMINISTRATION, useValue: administration },
      ],
    };
  }
}
