import type { ActionKind } from './draft';

/**
 * What a match leaves behind. Whether the audit keeps a record is decided elsewhere, for every request: `auditlog` and its kin
 * are accepted and mean nothing here. Log data is always redacted.
 */
export const loggingActions: readonly ActionKind[] = [
  { name: 'log', read: (draft) => (draft.logs = true) },
  { name: 'nolog', read: (draft) => (draft.logs = false) },
  ...['auditlog', 'noauditlog', 'sanitiseArg', 'sanitiseMatched', 'sanitiseMatchedBytes'].map((name) => ({
    name,
    read: () => undefined,
  })),
  ...['sanitiseRequestHeader', 'sanitiseResponseHeader'].map((name) => ({ name, read: () => undefined })),
];
