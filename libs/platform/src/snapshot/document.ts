import { createHash } from 'node:crypto';
import { canonicalJson, snapshot as snapshotSchema, type Snapshot } from '@sallyport/contracts';

/** Largest document anybody publishes or reads. */
export const MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024;
/** A document may be this many times as large as the one before it … */
const MAX_GROWTH = 4;
/** … and small ones may grow to this at once. */
const GROWTH_FLOOR_BYTES = 1024 * 1024;

/** A document that must not run; `field` is where in it the first fault lies. */
export class SnapshotRejected extends Error {
  constructor(
    readonly field: string,
    readonly fault: string,
  ) {
    super(`${field}: ${fault}`);
    this.name = 'SnapshotRejected';
  }
}

export interface EncodedSnapshot {
  readonly revision: string;
  readonly document: Uint8Array;
  /** Of the document, hex. */
  readonly sha256: string;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Puts a configuration into its one form: the same content gives the same bytes and hash on every machine.
 * @throws SnapshotRejected on what every reader would refuse.
 */
export function encodeSnapshot(snapshot: Snapshot): EncodedSnapshot {
  const checked = checkContent(snapshot);
  const document = new TextEncoder().encode(canonicalJson(checked));
  requireSize(document.length, undefined);
  return { revision: checked.revision, document, sha256: sha256Of(document) };
}

/**
 * Reads a document as hostile input.
 * @param lastBytes size of the document in use, which bounds this one's.
 * @throws SnapshotRejected with the first field that is at fault.
 */
export function decodeSnapshot({ revision, document, sha256 }: EncodedSnapshot, lastBytes?: number): Snapshot {
  requireSize(document.length, lastBytes);
  if (sha256Of(document) !== sha256)
    throw new SnapshotRejected('sha256', 'the document is not the one that was announced');
  const read = checkContent(parse(document));
  if (read.revision !== revision) {
    throw new SnapshotRejected('revision', `the document says ${read.revision}, it was announced as ${revision}`);
  }
  return read;
}

/** @throws SnapshotRejected */
export function requireSize(bytes: number, lastBytes: number | undefined): void {
  const allowed =
    lastBytes === undefined
      ? MAX_SNAPSHOT_BYTES
      : Math.min(MAX_SNAPSHOT_BYTES, Math.max(GROWTH_FLOOR_BYTES, lastBytes * MAX_GROWTH));
  if (bytes > allowed) throw new SnapshotRejected('bytes', `${bytes} bytes, where at most ${allowed} are taken`);
}

function parse(document: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(document));
  } catch {
    // The parser's own message quotes the text.
    throw new SnapshotRejected('document', 'it is not JSON in UTF-8');
  }
}

function checkContent(content: unknown): Snapshot {
  const checked = checkSchema(content);
  for (const check of [requireUnique, requireUpstreams, requireAccounts, requireTrust]) check(checked);
  return checked;
}

function checkSchema(content: unknown): Snapshot {
  let result: ReturnType<typeof snapshotSchema.safeParse>;
  try {
    result = snapshotSchema.safeParse(content);
  } catch {
    // Values that nest without end run the checker out of stack.
    throw new SnapshotRejected('document', 'it nests too deeply');
  }
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new SnapshotRejected(fieldName(path), message);
}

/** `['routes', 3, 'match']` → `routes[3].match` */
function fieldName(path: readonly PropertyKey[]): string {
  const name = path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
  return name || 'document';
}

const tenantAndName = ({ tenant, name }: { readonly tenant: string; readonly name: string }) => `${tenant}/${name}`;

function requireUnique(snapshot: Snapshot): void {
  const { routes, upstreams, consumers, models, accounts, trust } = snapshot;
  requireDistinct(
    'routes',
    'id',
    routes.map(({ id }) => id),
  );
  requireDistinct(
    'upstreams',
    'id',
    upstreams.map(({ id }) => id),
  );
  for (const [list, rows] of Object.entries({ upstreams, consumers, models, accounts, trust })) {
    requireDistinct(list, 'name', rows.map(tenantAndName));
  }
}

function requireDistinct(list: string, field: string, values: readonly string[]): void {
  const first = new Map<string, number>();
  for (const [index, value] of values.entries()) {
    const earlier = first.get(value);
    if (earlier !== undefined) {
      throw new SnapshotRejected(
        `${list}[${index}].${field}`,
        `${JSON.stringify(value)} stands in ${list}[${earlier}] already`,
      );
    }
    first.set(value, index);
  }
}

/** A reference finds what it names, and finds it with its own tenant. */
function requireUpstreams({ routes, upstreams }: Snapshot): void {
  const tenantOf = new Map(upstreams.map(({ id, tenant }) => [id, tenant]));
  for (const [index, { tenant, upstream }] of routes.entries()) {
    if (tenantOf.get(upstream) !== tenant) throw missing(`routes[${index}].upstream`, upstream, 'upstream', tenant);
  }
}

function requireAccounts({ models, accounts }: Snapshot): void {
  const known = new Set(accounts.map(tenantAndName));
  for (const [index, { tenant, targets }] of models.entries()) {
    for (const [place, { account }] of targets.entries()) {
      if (known.has(tenantAndName({ tenant, name: account }))) continue;
      throw missing(`models[${index}].targets[${place}].account`, account, 'account', tenant);
    }
  }
}

function requireTrust({ routes, trust }: Snapshot): void {
  const known = new Set(trust.map(tenantAndName));
  for (const [index, { tenant, auth }] of routes.entries()) {
    for (const [place, name] of auth.trust.entries()) {
      if (!known.has(tenantAndName({ tenant, name })))
        throw missing(`routes[${index}].auth.trust[${place}]`, name, 'trust entry', tenant);
    }
  }
}

function missing(field: string, value: string, kind: string, tenant: string): SnapshotRejected {
  return new SnapshotRejected(field, `the tenant ${tenant} has no ${kind} ${JSON.stringify(value)}`);
}
