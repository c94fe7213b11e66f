import { databaseOf, runService } from '@sallyport/platform';
import { readAuditConfig, startAudit } from '.';

runService({
  app: 'audit',
  readConfig: readAuditConfig,
  needsDatabase: true,
  start: (config, runtime) => startAudit(config, runtime, databaseOf(config)),
});
