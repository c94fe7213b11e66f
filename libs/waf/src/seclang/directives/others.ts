import { SyntaxProblem } from '../parser';
import type { DirectiveReader, DirectiveTable } from '../script';
import { onlyArgument } from './arity';

const accepted: DirectiveReader = () => undefined;

/** Where logs and files of ModSecurity go, and bounds of its matcher: things that are done otherwise here. */
const withoutMeaning = [
  'SecArgumentSeparator',
  'SecAuditEngine',
  'SecAuditLog',
  'SecAuditLog2',
  'SecAuditLogDirMode',
  'SecAuditLogFileMode',
  'SecAuditLogFormat',
  'SecAuditLogParts',
  'SecAuditLogPrefix',
  'SecAuditLogRelevantStatus',
  'SecAuditLogStorageDir',
  'SecAuditLogType',
  'SecCacheTransformations',
  'SecCollectionTimeout',
  'SecConnEngine',
  'SecCookieFormat',
  'SecDataDir',
  'SecDebugLog',
  'SecDebugLogLevel',
  'SecHttpBlKey',
  'SecInterceptOnError',
  'SecPcreMatchLimit',
  'SecPcreMatchLimitRecursion',
  'SecRequestBodyInMemoryLimit',
  'SecRuleInheritance',
  'SecRulePerfTime',
  'SecSensorId',
  'SecServerSignature',
  'SecStatusEngine',
  'SecStreamInBodyInspection',
  'SecStreamOutBodyInspection',
  'SecTmpDir',
  'SecTmpSaveUploadedFiles',
  'SecUnicodeMapFile',
  'SecUploadDir',
  'SecUploadFileLimit',
  'SecUploadFileMode',
  'SecUploadKeepFiles',
  'SecWebAppId',
] as const;

const refusedFor = (reason: string): DirectiveReader => {
  return () => {
    throw new SyntaxProblem(reason);
  };
};

const refused: DirectiveTable = {
  SecRuleScript: refusedFor('rules run no Lua'),
  SecRemoteRules: refusedFor('rules are never fetched while they are loaded'),
  SecContentInjection: refusedFor('rules do not change answers'),
  SecChrootDir: refusedFor('the process has no such folder'),
  SecGuardianLog: refusedFor('rules start no programs'),
  ...Object.fromEntries(
    ['SecHashEngine', 'SecHashKey', 'SecHashParam', 'SecHashMethodRx', 'SecHashMethodPm'].map((name) => [
      name,
      refusedFor('links are not signed here'),
    ]),
  ),
};

const include =
  (required: boolean): DirectiveReader =>
  (directive, draft) => {
    const pattern = onlyArgument(directive);
    if (draft.include(pattern) === 0 && required) throw new SyntaxProblem(`there is no file ${pattern}`);
  };

/** Everything else that may stand in a rule file. */
export const otherDirectives: DirectiveTable = {
  ...Object.fromEntries(withoutMeaning.map((name) => [name, accepted])),
  ...refused,
  Include: include(true),
  IncludeOptional: include(false),
  SecGeoLookupDb: ({ place }, draft) =>
    draft.warn(`${place.file}:${place.line}: SecGeoLookupDb: addresses are not looked up; @geoLookup never matches`),
  SecXmlExternalEntity: (directive) => {
    if (onlyArgument(directive).toLowerCase() !== 'off') throw new SyntaxProblem('external entities are never loaded');
  },
};
