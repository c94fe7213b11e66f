import { Module, type DynamicModule } from '@nestjs/common';
import { STATUS, StatusController, type LimitsStatus } from './status.controller';

/** What the private admin listener serves under /api/limits/v1. */
@Module({})
export class AdminModule {
  static over(status: () => LimitsStatus): DynamicModule {
    return {
      module: AdminModule,
      controllers: [StatusController],
      providers: [{ provide: STATUS, useValue: status }],
    };
  }
}
