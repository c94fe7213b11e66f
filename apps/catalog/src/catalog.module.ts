import { Module, type Type } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { Answers } from './admin/answers';
import { ConfigurationController } from './admin/configuration.controller';
import { namedController } from './admin/named.controller';
import { ServicesController } from './admin/services.controller';
import { Catalog } from './catalog';
import { ConfigurationStatus } from './configuration-status';
import { kinds } from './kinds';
import { CatalogReading } from './reading';

export interface CatalogModuleParts {
  readonly catalog: Catalog;
  readonly reading: CatalogReading;
  readonly status: ConfigurationStatus;
}

/** The admin API of the catalog over engines that are built already. */
export function catalogModule({ catalog, reading, status }: CatalogModuleParts): Type {
  @Module({
    controllers: [ServicesController, ...kinds.map(namedController), ConfigurationController],
    providers: [
      { provide: Catalog, useValue: catalog },
      { provide: CatalogReading, useValue: reading },
      { provide: ConfigurationStatus, useValue: status },
      { provide: APP_INTERCEPTOR, useClass: Answers },
    ],
  })
  class CatalogModule {}
  return CatalogModule;
}
