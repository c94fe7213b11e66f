/**
 * Every name on the bus, built here and nowhere else. Tokens are `[a-z0-9-]`; a tenant is such a token.
 * A new field in a message is optional; another meaning is `v2` beside `v1`.
 */
export const subjects = {
  /** A batch of sealed audit records of one chain (`sallyport.audit.v1.Batch`). */
  auditBatch: 'sallyport.audit.batch.sealed.v1',
  /** How far the audit service has committed a chain (`sallyport.audit.v1.SpoolCommitted`). */
  auditCommitted: 'sallyport.audit.spool.committed.v1',
  /** A committed record, for listeners; at most once. `kind` is the record's kind with its dots, e.g. `request.completed`. */
  auditEvent: (kind: string, tenant: string) => `sallyport.audit.${kind}.v1.${tenant}`,
  /** Every committed record of every tenant. */
  auditEvents: 'sallyport.audit.*.*.v1.*',
  /** A batch of usage records (`sallyport.audit.v1.Batch` of settlements) on its way to the ledger. */
  usageBatch: 'sallyport.ai.batch.sealed.v1',
  /** How far the ledger has committed a usage chain. */
  usageCommitted: 'sallyport.ai.spool.committed.v1',
  /** The catalog moved the head of the configuration. */
  snapshotPublished: 'sallyport.catalog.snapshot.published.v1',
  /** A node runs, or refused, a revision. */
  snapshotApplied: 'sallyport.catalog.snapshot.applied.v1',
  /** What time a node has, for the others to compare. */
  clockTold: 'sallyport.platform.clock.told.v1',
  /** The rules of inspection changed: a set was put in force or refused, rules were killed. The service named, not the tenant. */
  wafRuleSetActivated: 'sallyport.waf.ruleset.activated.v1',
  wafRuleSetRefused: 'sallyport.waf.ruleset.refused.v1',
  wafRuleKilled: 'sallyport.waf.rule.killed.v1',
  /** The day of an exclusion is over, and a route still has it. */
  wafExclusionExpired: 'sallyport.waf.exclusion.expired.v1',
  /** Inspection refused a request of a tenant; at most once, and its record is in the audit trail whatever becomes of this. */
  wafRequestBlocked: (tenant: string) => `sallyport.waf.request.blocked.v1.${tenant}`,
  /** A request of a tenant was not inspected as its route demands, and was let in or refused for that; as above. */
  wafInspectionSkipped: (tenant: string) => `sallyport.waf.inspection.skipped.v1.${tenant}`,
  /** A message that a durable consumer gave up, whole, with the reason in its headers. */
  messageDied: (durable: string) => `sallyport.bus.message.died.v1.${durable}`,
} as const;

/** JetStream streams with the subjects they keep. */
export const streams = {
  SALLYPORT_AUDIT: { subjects: [subjects.auditBatch], maxAgeMs: 72 * 3_600_000 },
  SALLYPORT_AI: { subjects: [subjects.usageBatch], maxAgeMs: 72 * 3_600_000 },
  /** Where dead letters wait for a person; the oldest go first when it is full. */
  SALLYPORT_DEAD: { subjects: [subjects.messageDied('*')], maxAgeMs: 30 * 24 * 3_600_000, maxBytes: 64 * 1024 * 1024 },
} as const;

export type StreamName = keyof typeof streams;

/** Key-value buckets. */
export const buckets = {
  /** Configuration: `head` and the chunks it names. Written by the catalog. */
  snapshots: 'sallyport_snapshots',
  /** API keys by kid, as HMACs. Written by auth. */
  apiKeys: 'sallyport_api_key',
  /** Hash of the admin token, under `current`. Written by auth. */
  adminToken: 'sallyport_admin_token',
  /** Which rule set is in force, and the kill switches. Written by waf. */
  waf: 'sallyport_waf',
  /** What policies keep for all gateways, sealed with a key that is not on the bus. Written by the ingresses. */
  policyStore: 'sallyport_policy_store',
} as const;

/** Buckets whose entries go by themselves, and after how many milliseconds; per-key times are unknown to servers before 2.11. */
export const bucketAges: Readonly<Record<string, number>> = { [buckets.policyStore]: 25 * 3_600_000 };

/** Durable consumers. */
export const durables = { auditIngest: 'audit-ingest', aiLedger: 'ai-router-ledger' } as const;

/** Header fields of messages on the bus. */
export const messageHeaders = {
  traceparent: 'traceparent',
  producer: 'x-sallyport-producer',
  schema: 'x-sallyport-schema',
  /** On dead letters: why, where from, and after how many deliveries. */
  reason: 'x-sallyport-reason',
  subject: 'x-sallyport-subject',
  deliveries: 'x-sallyport-deliveries',
} as const;
