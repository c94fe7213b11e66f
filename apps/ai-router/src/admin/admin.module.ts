import { Module, type DynamicModule } from '@nestjs/common';
import { LocalRouter } from '@sallyport/ai';
import { DataSource } from 'typeorm';
import { Credentials } from '../credentials/credentials';
import { AiController } from './ai.controller';
import { Cursors } from './cursors';

export interface AdminParts {
  readonly dataSource: DataSource;
  readonly router: LocalRouter;
  readonly credentials: Credentials;
  readonly cursors: Cursors;
}

/** What the private admin listener serves under /api/ai/v1. */
@Module({})
export class AdminModule {
  static over({ dataSource, router, credentials, cursors }: AdminParts): DynamicModule {
    return {
      module: AdminModule,
      controllers: [AiController],
      providers: [
        { provide: DataSource, useValue: dataSource },
        { provide: LocalRouter, useValue: router },
        { provide: Credentials, useValue: credentials },
        { provide: Cursors, useValue: cursors },
      ],
    };
  }
}
