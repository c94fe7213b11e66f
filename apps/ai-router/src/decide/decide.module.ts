import { Module, type DynamicModule } from '@nestjs/common';
import { LocalRouter } from '@sallyport/ai';
import { Leases } from '../credentials/leases';
import { RoutingController } from './routing.controller';

/** What the gRPC listener serves. */
@Module({})
export class DecideModule {
  static over(router: LocalRouter, leases: Leases): DynamicModule {
    return {
      module: DecideModule,
      controllers: [RoutingController],
      providers: [
        { provide: LocalRouter, useValue: router },
        { provide: Leases, useValue: leases },
      ],
    };
  }
}
