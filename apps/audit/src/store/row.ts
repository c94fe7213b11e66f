import { isUuidv7, uuidv7Time } from '@sallyport/contracts';
import type { Retention } from './retention';

/** The columns of a record, as its body states them. */
export interface EventRow {
  readonly retention: Retention;
  /** Milliseconds since the epoch, from the uid: a record that comes twice lands in the same place. */
  readonly at: number;
  readonly uid: string;
  readonly tenant: string;
  readonly kind: string;
  readonly typeUid: number | null;
  readonly actorRef: string | null;
  readonly app: string | null;
  readonly resource: string | null;
  readonly route: string | null;
  readonly disposition: number | null;
  readonly status: number | null;
  readonly requestId: string | null;
  readonly traceId: string | null;
  /** No column: work on the record links to its span. */
  readonly spanId: string | null;
}

const TENANT = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const KIND = /^[a-z][a-z-]{0,30}\.[a-z][a-z-]{0,30}$/;
/** What an index takes comfortably; the body holds the whole. */
const LONGEST_COLUMN = 256;

/** A body that cannot become a row. */
export class UnreadableRecord extends Error {}

/**
 * Reads the columns of a record.
 * @throws UnreadableRecord saying what is wrong with it.
 */
export function rowOf(body: Uint8Array): EventRow {
  const document = parse(body);
  const metadata = object(document['metadata']);
  const ours = object(object(document['unmapped'])['sallyport']);
  const uid = textOf(metadata['uid']);
  const tenant = textOf(metadata['tenant_uid']);
  const kind = textOf(ours['kind']);
  if (uid === null || !isUuidv7(uid)) throw new UnreadableRecord('metadata.uid is no version 7 UUID');
  if (tenant === null || !TENANT.test(tenant)) throw new UnreadableRecord('metadata.tenant_uid is no tenant');
  if (kind === null || !KIND.test(kind)) throw new UnreadableRecord('unmapped.sallyport.kind is no kind');
  const actor = object(document['actor']);
  const trace = object(document['trace']);
  return {
    retention: retentionOf(kind, ours),
    at: uuidv7Time(uid),
    uid,
    tenant,
    kind,
    typeUid: wholeNumber(document['type_uid'], 2 ** 31 - 1),
    actorRef: textOf(object(actor['user'])['uid']) ?? textOf(object(document['user'])['uid']),
    app: textOf(actor['app_name']) ?? textOf(ours['app']),
    resource: resourceOf(document, ours),
    route: textOf(ours['route']),
    disposition: wholeNumber(document['disposition_id'], 2 ** 15 - 1),
    status: httpStatus(document['status_code']),
    requestId: textOf(ours['request_id']),
    traceId: textOf(trace['uid']) ?? textOf(ours['trace_id']),
    spanId: textOf(object(trace['span'])['uid']),
  };
}

type Members = { readonly [name: string]: unknown };

function parse(body: Uint8Array): Members {
  const { buffer, byteOffset, byteLength } = body;
  let document: unknown;
  try {
    document = JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString());
  } catch {
    throw new UnreadableRecord('the body is not JSON');
  }
  if (typeof document !== 'object' || document === null) throw new UnreadableRecord('the body is no object');
  return document as Members;
}

/** Calls of models on regulated routes are kept longest, the rest of the traffic shortest. */
function retentionOf(kind: string, ours: Members): Retention {
  if (!kind.startsWith('request.')) return 'control';
  return ours['route_class'] === 'regulated' && ours['model'] !== undefined ? 'ai_regulated' : 'traffic';
}

/** What was acted on: an object of the configuration by type and id, or the path that was asked for. */
function resourceOf(document: Members, ours: Members): string | null {
  const [first] = Array.isArray(document['resources']) ? (document['resources'] as unknown[]) : [];
  const { path } = object(object(document['http_request'])['url']) as { readonly path?: unknown };
  return textOf(ours['resource']) ?? textOf(path) ?? textOf(object(first)['uid']);
}

function object(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {};
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, LONGEST_COLUMN).toWellFormed() : null;
}

function wholeNumber(value: unknown, most: number): number | null {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most ? (value as number) : null;
}

function httpStatus(value: unknown): number | null {
  return typeof value === 'string' && /^[1-9]\d{2}$/.test(value) ? Number(value) : null;
}
