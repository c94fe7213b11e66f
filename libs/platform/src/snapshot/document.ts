import { createHash } from 'node:crypto';
import { canonicalJson, snapshot as snapshotSchema, type Json, type Snapshot } from '@sallyport/contracts';
import { z } from 'zod';
import { atOnce, type Sliced } from '../slices';
import { findMembers, NotAnObject, type Member, type Span } from './json-members';

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

/** Bytes that are not the document they were announced as: of that document they say nothing. */
export class SnapshotDamaged extends SnapshotRejected {
  constructor() {
    super('sha256', 'the document is not the one that was announced');
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

/** Bytes that are hashed in one step. */
const HASH_STEP_BYTES = 256 * 1024;
/** Entries that a check looks at in one step. */
const CHECK_STEP = 256;

/** The lists of a snapshot by name, with what one entry of each must be. */
const lists: ReadonlyMap<string, z.ZodType> = new Map(
  Object.entries(snapshotSchema.shape).flatMap(([name, schema]) =>
    schema instanceof z.ZodArray ? [[name, schema.element as z.ZodType]] : [],
  ),
);

/** The snapshot with its lists unread: its members, how long its lists are, and everything that is no list. */
const frame = snapshotSchema.extend(
  Object.fromEntries(
    Object.entries(snapshotSchema.shape).flatMap(([name, schema]) =>
      schema instanceof z.ZodArray ? [[name, unread(schema)]] : [],
    ),
  ),
);

/** A list of the same length limits, whatever its entries are. */
function unread(schema: z.ZodArray): z.ZodType {
  return schema.clone({ ...schema.def, element: z.unknown() });
}

/** An entry that was found to be sound, and its canonical text. */
interface Sound {
  readonly value: unknown;
  readonly text: string;
}

/**
 * Writes configurations in their one form: the same content gives the same bytes and hash on every machine. It remembers the
 * entries of the last one, so that one changed route costs the check of one route.
 */
export class SnapshotWriter {
  private known: ReadonlyMap<string, Sound> = new Map();

  /** @throws SnapshotRejected on what every reader would refuse. */
  *encode(snapshot: Snapshot): Sliced<EncodedSnapshot> {
    const seen = new Map<string, Sound>();
    const whole: Record<string, unknown> = {};
    const texts: string[] = [];
    for (const [name, member] of Object.entries(snapshot).sort(([one], [other]) => (one < other ? -1 : 1))) {
      const schema = lists.get(name);
      whole[name] = member;
      if (!schema || !Array.isArray(member)) continue;
      const entries: Sound[] = [];
      for (const [index, entry] of member.entries()) {
        entries.push(this.check(name, index, entry, schema, seen));
        yield;
      }
      whole[name] = entries.map(({ value }) => value);
      texts.push(`${JSON.stringify(name)}:[${entries.map(({ text }) => text).join(',')}]`);
    }
    const checked = checkFrame(whole);
    yield* checkWhole(checked);
    for (const [name, value] of Object.entries(checked)) {
      if (!lists.has(name)) texts.push(`${JSON.stringify(name)}:${canonicalJson(value)}`);
    }
    const document = new TextEncoder().encode(`{${texts.sort().join(',')}}`);
    requireSize(document.length, undefined);
    const sha256 = yield* hash(document);
    this.known = seen;
    return { revision: checked.revision, document, sha256 };
  }

  private check(name: string, index: number, entry: unknown, schema: z.ZodType, seen: Map<string, Sound>): Sound {
    const key = `${name}:${canonicalJson(entry as Json)}`;
    let sound = this.known.get(key);
    if (!sound) {
      const value = checked(schema, entry, [name, index]);
      sound = { value, text: canonicalJson(value as Json) };
    }
    seen.set(key, sound);
    return sound;
  }
}

/**
 * Reads documents as hostile input. It remembers the entries of the last one: what is written in the same bytes again is the
 * same object again, which also tells whoever compiles it that it need not be compiled again.
 */
export class SnapshotDecoder {
  private known: ReadonlyMap<string, unknown> = new Map();

  /**
   * @param lastBytes size of the document in use, which bounds this one's.
   * @throws SnapshotRejected with the first field that is at fault.
   */
  *decode({ revision, document, sha256 }: EncodedSnapshot, lastBytes?: number): Sliced<Snapshot> {
    requireSize(document.length, lastBytes);
    if ((yield* hash(document)) !== sha256) throw new SnapshotDamaged();
    const seen = new Map<string, unknown>();
    const whole: Record<string, unknown> = {};
    for (const [name, member] of yield* membersOf(document)) {
      whole[name] =
        'value' in member
          ? parse(document, member.value, name)
          : yield* this.entries(document, name, member.elements, seen);
      yield;
    }
    const read = checkFrame(whole);
    yield* checkWhole(read);
    if (read.revision !== revision) {
      throw new SnapshotRejected('revision', `the document says ${read.revision}, it was announced as ${revision}`);
    }
    this.known = seen;
    return read;
  }

  private *entries(
    document: Uint8Array,
    name: string,
    elements: readonly Span[],
    seen: Map<string, unknown>,
  ): Sliced<unknown[]> {
    const schema = lists.get(name);
    const entries: unknown[] = [];
    for (const [index, span] of elements.entries()) {
      const key = name + createHash('sha256').update(document.subarray(span.start, span.end)).digest('base64');
      const known = this.known.get(key) ?? seen.get(key);
      const value = known ?? read(document, span, schema, name, index);
      seen.set(key, value);
      entries.push(value);
      yield;
    }
    return entries;
  }
}

function read(document: Uint8Array, span: Span, schema: z.ZodType | undefined, name: string, index: number): unknown {
  const value = parse(document, span, `${name}[${index}]`);
  // A list that should not be there is refused with the frame.
  return schema ? checked(schema, value, [name, index]) : value;
}

/**
 * Puts a configuration into its one form.
 * @throws SnapshotRejected on what every reader would refuse.
 */
export function encodeSnapshot(snapshot: Snapshot): EncodedSnapshot {
  return atOnce(new SnapshotWriter().encode(snapshot));
}

/**
 * Reads one document as hostile input.
 * @param lastBytes size of the document in use, which bounds this one's.
 * @throws SnapshotRejected with the first field that is at fault.
 */
export function decodeSnapshot(encoded: EncodedSnapshot, lastBytes?: number): Snapshot {
  return atOnce(new SnapshotDecoder().decode(encoded, lastBytes));
}

/** @throws SnapshotRejected */
export function requireSize(bytes: number, lastBytes: number | undefined): void {
  const allowed =
    lastBytes === undefined
      ? MAX_SNAPSHOT_BYTES
      : Math.min(MAX_SNAPSHOT_BYTES, Math.max(GROWTH_FLOOR_BYTES, lastBytes * MAX_GROWTH));
  if (bytes > allowed) throw new SnapshotRejected('bytes', `${bytes} bytes, where at most ${allowed} are taken`);
}

function* hash(document: Uint8Array): Sliced<string> {
  const sum = createHash('sha256');
  for (let begin = 0; begin < document.length; begin += HASH_STEP_BYTES) {
    sum.update(document.subarray(begin, begin + HASH_STEP_BYTES));
    yield;
  }
  return sum.digest('hex');
}

function* membersOf(document: Uint8Array): Sliced<Map<string, Member>> {
  try {
    return yield* findMembers(document);
  } catch (error) {
    if (error instanceof NotAnObject) throw new SnapshotRejected('document', error.message);
    throw error;
  }
}

function parse(document: Uint8Array, { start, end }: Span, field: string): unknown {
  try {
    return JSON.parse(utf8.decode(document.subarray(start, end)));
  } catch {
    // The parser's own message quotes the text.
    throw new SnapshotRejected(field, 'it is not JSON in UTF-8');
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The schema's own path of a fault goes behind `path`. */
function checked(schema: z.ZodType, content: unknown, path: readonly PropertyKey[]): unknown {
  let result: ReturnType<typeof schema.safeParse>;
  try {
    result = schema.safeParse(content);
  } catch {
    // Values that nest without end run the checker out of stack.
    throw new SnapshotRejected(fieldName(path), 'it nests too deeply');
  }
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new SnapshotRejected(fieldName([...path, ...issue.path]), issue.message);
}

/** @param whole with its lists checked already */
function checkFrame(whole: Readonly<Record<string, unknown>>): Snapshot {
  return checked(frame, whole, []) as Snapshot;
}

function* checkWhole(snapshot: Snapshot): Sliced<void> {
  for (const check of [requireUnique, requireUpstreams, requireAccounts, requireTrust]) yield* check(snapshot);
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

function* requireUnique(snapshot: Snapshot): Sliced<void> {
  const { routes, upstreams, consumers, models, accounts, trust } = snapshot;
  yield* requireDistinct('routes', 'id', routes, ({ id }) => id);
  yield* requireDistinct('upstreams', 'id', upstreams, ({ id }) => id);
  for (const [list, rows] of Object.entries({ upstreams, consumers, models, accounts, trust })) {
    yield* requireDistinct(list, 'name', rows as readonly { tenant: string; name: string }[], tenantAndName);
  }
}

function* requireDistinct<Row>(
  list: string,
  field: string,
  rows: readonly Row[],
  valueOf: (row: Row) => string,
): Sliced<void> {
  const first = new Map<string, number>();
  for (const [index, row] of rows.entries()) {
    if (index % CHECK_STEP === 0) yield;
    const value = valueOf(row);
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
function* requireUpstreams({ routes, upstreams }: Snapshot): Sliced<void> {
  const tenantOf = new Map(upstreams.map(({ id, tenant }) => [id, tenant]));
  for (const [index, { tenant, upstream }] of routes.entries()) {
    if (index % CHECK_STEP === 0) yield;
    if (tenantOf.get(upstream) !== tenant) throw missing(`routes[${index}].upstream`, upstream, 'upstream', tenant);
  }
}

function* requireAccounts({ models, accounts }: Snapshot): Sliced<void> {
  const known = new Set(accounts.map(tenantAndName));
  for (const [index, { tenant, targets }] of models.entries()) {
    if (index % CHECK_STEP === 0) yield;
    for (const [place, { account }] of targets.entries()) {
      if (known.has(tenantAndName({ tenant, name: account }))) continue;
      throw missing(`models[${index}].targets[${place}].account`, account, 'account', tenant);
    }
  }
}

function* requireTrust({ routes, trust }: Snapshot): Sliced<void> {
  const known = new Set(trust.map(tenantAndName));
  for (const [index, { tenant, auth }] of routes.entries()) {
    if (index % CHECK_STEP === 0) yield;
    for (const [place, name] of auth.trust.entries()) {
      if (!known.has(tenantAndName({ tenant, name })))
        throw missing(`routes[${index}].auth.trust[${place}]`, name, 'trust entry', tenant);
    }
  }
}

function missing(field: string, value: string, kind: string, tenant: string): SnapshotRejected {
  return new SnapshotRejected(field, `the tenant ${tenant} has no ${kind} ${JSON.stringify(value)}`);
}
