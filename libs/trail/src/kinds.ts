import { hash } from 'node:crypto';
import { uuidv7, type Json } from '@sallyport/contracts';
import { canonical } from './event';
import type {
  ChangeFacts,
  ControlFacts,
  FindingFacts,
  LogReadFacts,
  Making,
  Pseudonym,
  RefusedSessionFacts,
  TraceFacts,
} from './facts';
import { patchBetween } from './json-patch';
import { wafOf, type Members } from './request-record';
import type { AuditEvent } from './trail';

/*
 * One builder for each kind of record that does not come with every request (those stand in request-record.ts), to OCSF
 * 1.8.0 (schema.ocsf.io). Members stand in sorted order everywhere, because then the writer needs no sort; an undefined
 * member is left out, but for `attestation_list`, which the producer's chain fills in.
 */

function event(kind: string, tenant: string, { now, random }: Making, body: Members): AuditEvent {
  return { uid: uuidv7(now, random), kind, tenant, body };
}

/** OCSF wants a real address in `ip`, and a real address is personal: it stays out. */
function sourceOf({
  pseudonym,
  tenant,
  clientAddress,
}: {
  readonly pseudonym: Pseudonym;
  readonly tenant: string;
  readonly clientAddress: string;
}): Members {
  return { uid: pseudonym(tenant, clientAddress) };
}

function traceOf(trace: TraceFacts | undefined, start: number, end: number): Members | undefined {
  return trace && { span: { end_time: end, start_time: start, uid: trace.spanId }, uid: trace.traceId };
}

function sorted(members: { readonly [name: string]: string | undefined }): Members {
  return Object.fromEntries(Object.entries(members).sort(([left], [right]) => (left < right ? -1 : 1)));
}

// ---- credentials --------------------------------------------------------------------------------------------------

/** A credential was refused; the caller is told one public answer, the record the exact reason. */
export function sessionRefused(facts: RefusedSessionFacts): AuditEvent {
  const { credential, refusal } = facts;
  return event('session.refused', facts.tenant, facts, {
    action_id: 2,
    activity_id: 1, // logon
    attestation_list: undefined,
    category_uid: 3,
    class_uid: 3002,
    disposition_id: 26,
    is_remote: true,
    message: `${credential?.kind ?? 'credential'} refused: ${refusal.code}`,
    metadata: { profiles: ['record_integrity', 'security_control', 'trace'] },
    service: { name: 'sallyport' },
    severity_id: 2,
    src_endpoint: sourceOf(facts),
    status_code: refusal.code,
    status_detail: refusal.reason ?? refusal.code,
    status_id: 2,
    time: facts.now,
    trace: traceOf(facts.trace, facts.now, facts.now),
    type_uid: 300201,
    unmapped: {
      sallyport: {
        code: refusal.code,
        credential: credential && { id: credential.id, kind: credential.kind },
        decided_by: { auth: facts.decidedBy },
        kind: 'session.refused',
        request_id: facts.requestId,
        route: facts.route,
      },
    },
    user: credential ? { credential_uid: credential.id, uid: credential.id } : { name: 'unknown' },
  });
}

// ---- administration -----------------------------------------------------------------------------------------------

const changes = { create: [1, 'created'], update: [3, 'updated'], delete: [4, 'deleted'] } as const;

/** An administrator's write was committed. Both digests are over canonical JSON of what the caller handed in. */
export function changeCommitted(facts: ChangeFacts): AuditEvent {
  const { actor, object, before, after, now } = facts;
  const [activity_id, verb] = changes[facts.action];
  return event('change.committed', facts.tenant, facts, {
    action_id: 1,
    activity_id,
    actor: { user: { type_id: 2, uid: actor.name } },
    attestation_list: undefined,
    category_uid: 3,
    class_uid: 3004,
    comment: facts.reason,
    disposition_id: 1,
    entity: { name: object.name, type: object.type, uid: object.id },
    message: `${object.type} ${object.name} ${verb} by ${actor.name}`,
    metadata: { profiles: ['host', 'record_integrity', 'security_control', 'trace'] },
    severity_id: 1,
    status_id: 1,
    time: now,
    trace: facts.traceId === undefined ? undefined : { uid: facts.traceId },
    type_uid: 300400 + activity_id,
    unmapped: {
      sallyport: {
        change: {
          after_digest: digestOf(after),
          approver: null,
          before_digest: digestOf(before),
          config_version: facts.configVersion,
          emergency: false,
          json_patch: patchBetween(before, after),
          ticket: null,
          via: actor.via,
        },
        kind: 'change.committed',
        request_id: facts.requestId,
        resource: `${object.type}/${object.id}`,
      },
    },
  });
}

function digestOf(document: Json | undefined): string | null {
  return document === undefined ? null : `sha256:${hash('sha256', canonical(document))}`;
}

/** States of a process. Everything else that is reported is a finding about a control. */
const lifecycle: Readonly<Record<string, number>> = {
  start: 3,
  stop: 4,
  'config-applied': 99,
  'config-rejected': 99,
  'chain-begun': 99,
};

const complianceStates = { ok: 1, failed: 3 } as const;

/** A control changed its state. */
export function controlReported(facts: ControlFacts): AuditEvent {
  const activity = lifecycle[facts.what];
  return activity === undefined ? controlFinding(facts) : lifecycleReport(facts, activity);
}

function lifecycleReport(facts: ControlFacts, activity_id: number): AuditEvent {
  return event('control.reported', facts.tenant, facts, {
    activity_id,
    activity_name: activity_id === 99 ? facts.what : undefined,
    app: { name: facts.app, vendor_name: 'Sallyport' },
    attestation_list: undefined,
    category_uid: 6,
    class_uid: 6002,
    message: `${facts.app}: ${facts.what}`,
    metadata: { profiles: ['record_integrity'] },
    severity_id: 1,
    status_id: facts.state === 'failed' ? 2 : 1,
    time: facts.now,
    type_uid: 600200 + activity_id,
    unmapped: controlDetail(facts),
  });
}

function controlFinding(facts: ControlFacts): AuditEvent {
  const uid = uuidv7(facts.now, facts.random);
  return {
    uid,
    kind: 'control.reported',
    tenant: facts.tenant,
    body: {
      activity_id: 1,
      attestation_list: undefined,
      category_uid: 2,
      class_uid: 2003,
      compliance: {
        control: facts.what,
        standards: ['Sallyport controls'],
        status_id: facts.state === undefined ? 2 : complianceStates[facts.state],
      },
      finding_info: { title: `${facts.app}: ${facts.what}`, uid },
      message: `${facts.app}: ${facts.what}`,
      metadata: { profiles: ['record_integrity'] },
      severity_id: facts.state === 'failed' ? 4 : 2,
      status_id: 1,
      time: facts.now,
      type_uid: 200301,
      unmapped: controlDetail(facts),
    },
  };
}

function controlDetail({ app, detail, what }: ControlFacts): Members {
  return { sallyport: { app, detail, kind: 'control.reported', what } };
}

const severities = { low: 2, medium: 3, high: 4, critical: 5 } as const;

/** A verdict worth keeping beside the record of its request. */
export function findingRaised(facts: FindingFacts): AuditEvent {
  const uid = uuidv7(facts.now, facts.random);
  const [action_id, disposition_id] = facts.action === 'blocked' ? [2, 2] : [3, 15];
  return {
    uid,
    kind: 'finding.raised',
    tenant: facts.tenant,
    body: {
      action_id,
      activity_id: 1,
      attestation_list: undefined,
      category_uid: 2,
      class_uid: 2004,
      disposition_id,
      finding_info: { title: facts.title, types: [facts.what], uid },
      is_alert: facts.severity === 'high' || facts.severity === 'critical',
      message: facts.title,
      metadata: { profiles: ['record_integrity', 'security_control'] },
      resources: facts.route === undefined ? undefined : [{ type: 'route', uid: facts.route }],
      severity_id: severities[facts.severity],
      status_id: 1,
      time: facts.now,
      type_uid: 200401,
      unmapped: {
        sallyport: {
          kind: 'finding.raised',
          request_id: facts.requestId,
          route: facts.route,
          source: facts.pseudonym(facts.tenant, facts.clientAddress),
          trace_id: facts.trace?.traceId,
          waf: facts.waf && wafOf(facts.waf),
          what: facts.what,
        },
      },
    },
  };
}

/** Somebody read the log. */
export function logRead(facts: LogReadFacts): AuditEvent {
  return event('log.read', facts.tenant, facts, {
    action_id: 1,
    activity_id: 2,
    actor: { user: { type_id: 2, uid: facts.actor.name } },
    api: { operation: `audit.${facts.operation}`, service: { name: 'audit' }, version: 'v1' },
    attestation_list: undefined,
    category_uid: 6,
    class_uid: 6003,
    disposition_id: 17,
    message: `audit ${facts.operation} by ${facts.actor.name}`,
    metadata: { profiles: ['record_integrity', 'security_control', 'trace'] },
    resources: [{ type: 'audit-log', uid: facts.tenant }],
    severity_id: 1,
    src_endpoint: { svc_name: 'admin' },
    status_id: 1,
    time: facts.now,
    trace: facts.traceId === undefined ? undefined : { uid: facts.traceId },
    type_uid: 600302,
    unmapped: {
      sallyport: {
        count: facts.count,
        kind: 'log.read',
        query: sorted(facts.query),
        request_id: facts.requestId,
        via: facts.actor.via,
      },
    },
  });
}
