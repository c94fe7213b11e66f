import { Module, type DynamicModule } from '@nestjs/common';
import { INGRESS_STATUS, type IngressStatus } from './admin/status';
import { StatusController } from './admin/status.controller';

/** The admin side of the ingress; the data path runs without Nest. */
@Module({})
export class IngressModule {
  static with(status: IngressStatus): DynamicModule {
    return {
      module: IngressModule,
      controllers: [StatusController],
      providers: [{ provide: INGRESS_STATUS, useValue: status }],
    };
  }
}
