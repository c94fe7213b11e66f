import { hopByHop, refuse, type Field, type Refusal, type RequestHead } from '@sallyport/contracts';
import { canonicalPath, isImpersonating, type RawFields } from '@sallyport/proxy';

const FIELD_NAME = /^[!#$%&'*+.^`|~0-9a-z-]{1,256}$/;

/** Framing, routing, credentials, trace and what speaks in our name, beside what is of one hop: made anew by us alone. */
const madeByUs: ReadonlySet<string> = new Set([
  'authorization',
  'baggage',
  'content-length',
  'dpop',
  'expect',
  'host',
  'ratelimit',
  'ratelimit-policy',
  'traceparent',
  'tracestate',
  'x-correlation-id',
]);

/** Names that were judged before: those of configurations and of policies, which are few. */
const judged = new Map<string, boolean>();
const MAX_JUDGED = 1000;

/** Whether a policy may set or remove the field of a request or an answer, by its name in lower case. */
export function isEditable(name: string): boolean {
  const known = judged.get(name);
  if (known !== undefined) return known;
  const editable = FIELD_NAME.test(name) && !madeByUs.has(name) && !hopByHop.has(name) && !isImpersonating(name);
  if (judged.size < MAX_JUDGED) judged.set(name, editable);
  return editable;
}

/** Bytes that may not stand in a field value (RFC 9110 §5.5); those of UTF-8 neither, since readers disagree on them. */
const NOT_IN_VALUE = /[^\t\x20-\x7e]/;

/** Text of any kind as a field value: what may not stand there is percent-encoded, so that CR, LF and NUL end nowhere. */
export function fieldText(text: string): string {
  if (!NOT_IN_VALUE.test(text)) return text;
  return text.toWellFormed().replace(/[^\t\x20-\x24\x26-\x7e]/gu, encodeURIComponent);
}

/** Fields that policies edit: copied at the first change, so that reading costs nothing. */
export class FieldDraft {
  private edited: string[] | undefined;
  private line: RawFields;

  /** @param received name and value in turn, names in lower case; never changed. */
  constructor(private readonly received: RawFields) {
    this.line = received;
  }

  /** As they stand: name and value in turn. */
  get raw(): RawFields {
    return this.edited ?? this.received;
  }

  /** Whether anything was edited. */
  get changed(): boolean {
    return this.edited !== undefined;
  }

  /** All values of a field joined by comma (RFC 9110 §5.3); undefined when there is none. */
  get(name: string): string | undefined {
    const { raw } = this;
    let found: string | undefined;
    for (let at = 0; at < raw.length; at += 2)
      if (raw[at] === name) found = found === undefined ? raw[at + 1] : `${found}, ${raw[at + 1]}`;
    return found;
  }

  all(name: string): string[] {
    return this.raw.filter((_, at) => at % 2 === 1 && this.raw[at - 1] === name);
  }

  has(name: string): boolean {
    const { raw } = this;
    for (let at = 0; at < raw.length; at += 2) if (raw[at] === name) return true;
    return false;
  }

  /** Replaces all fields of the name by one. */
  set(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  /** Adds one field beside those of the same name. @throws on a name that is not for policies: a defect of the policy. */
  add(name: string, value: string): void {
    requireEditable(name);
    this.edit().push(name, fieldText(value));
  }

  /** Takes all fields of the name away. `content-length` may go: then the body's end is told otherwise. */
  remove(name: string): void {
    if (name !== 'content-length') requireEditable(name);
    if (!this.has(name)) return;
    const { raw } = this;
    const left: string[] = [];
    for (let at = 0; at < raw.length; at += 2) if (raw[at] !== name) left.push(raw[at]!, raw[at + 1]!);
    this.edited = left;
  }

  /** The gateway's own: says how long the body is, once that is known. */
  setLength(bytes: number): void {
    this.remove('content-length');
    this.edit().push('content-length', String(bytes));
  }

  /** What is edited from here on can be told from what was edited before. */
  drawLine(): void {
    this.line = this.raw;
  }

  /**
   * Edits other fields as these were edited since the line was drawn.
   * @param fields never changed
   * @returns them, with every name that has other values here than at the line as it stands here
   */
  editsOver(fields: RawFields): RawFields {
    const { raw, line } = this;
    if (raw === line) return fields;
    const names = new Set<string>();
    for (const edited of [raw, line]) {
      for (let at = 0; at < edited.length; at += 2)
        if (valuesOf(raw, edited[at]!) !== valuesOf(line, edited[at]!)) names.add(edited[at]!);
    }
    const over: string[] = [];
    for (let at = 0; at < fields.length; at += 2) if (!names.has(fields[at]!)) over.push(fields[at]!, fields[at + 1]!);
    for (let at = 0; at < raw.length; at += 2) if (names.has(raw[at]!)) over.push(raw[at]!, raw[at + 1]!);
    return over;
  }

  private edit(): string[] {
    if (this.edited === undefined || this.edited === this.line) this.edited = [...this.raw];
    return this.edited;
  }
}

/** Every value of a field, so that no other values make the same text (RFC 9110 §5.5: none holds a line feed). */
function valuesOf(fields: RawFields, name: string): string {
  let values = '';
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) values += `${fields[at + 1]!}\n`;
  return values;
}

function requireEditable(name: string): void {
  if (!isEditable(name)) throw new Error(`the field ${name} is not for policies to edit`);
}

/** What will go upstream, beside the body. The request itself stays as it was judged. */
export class RequestDraft {
  readonly fields: FieldDraft;
  method: string;
  private target: string;
  private queryText: string | undefined;
  private edited: RequestHead | undefined;

  /**
   * @param path below the address of the upstream, canonical: without the route's prefix where it is stripped.
   * @param tolerated oddities of paths that the route takes, as canonicalPath names them.
   */
  constructor(
    private readonly request: RequestHead,
    path: string,
    private readonly tolerated = 0,
  ) {
    this.method = request.method;
    this.target = path;
    this.queryText = request.hasQuery ? request.query : undefined;
    this.fields = new FieldDraft(rawOf(request.fields));
  }

  get path(): string {
    return this.target;
  }

  /** Takes digests of the body off the head: whoever changes the body knows that they were made of another one. */
  dropDigests(): void {
    for (const name of ['content-digest', 'content-md5', 'digest', 'repr-digest']) this.fields.remove(name);
  }

  /** Without the question mark; undefined when there is none at all. */
  get query(): string | undefined {
    return this.queryText;
  }

  /**
   * Sends another path upstream, in its one spelling.
   * @returns REQUEST_MALFORMED when it has none: what could be read in two ways never goes upstream.
   */
  setPath(path: string): Refusal | undefined {
    const canonical = canonicalPath(path, this.tolerated);
    if ('fault' in canonical) return refuse('REQUEST_MALFORMED', { reason: canonical.fault });
    this.target = canonical.path;
    return undefined;
  }

  /** @param query parts escaped by encodeURIComponent; undefined: no question mark either. */
  setQuery(query: string | undefined): Refusal | undefined {
    if (query !== undefined && /[^\x21-\x7e]|#/.test(query))
      return refuse('REQUEST_MALFORMED', { reason: 'the query holds a character that must be escaped' });
    this.queryText = query;
    return undefined;
  }

  /** The head that is forwarded: what the request was judged by stays in `field`. Asked after the last hook that edits. */
  get head(): RequestHead {
    if (!this.fields.changed && this.method === this.request.method) return this.request;
    return (this.edited ??= { ...this.request, method: this.method, fields: fieldsOf(this.fields.raw) });
  }
}

function rawOf(fields: readonly Field[]): string[] {
  const raw: string[] = [];
  for (const { name, value } of fields) raw.push(name, value);
  return raw;
}

function fieldsOf(raw: RawFields): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < raw.length; at += 2) fields.push({ name: raw[at]!, value: raw[at + 1]! });
  return fields;
}

const OF_THE_BYTES = ['accept-ranges', 'content-digest', 'content-md5', 'digest', 'repr-digest'] as const;

/** The head of an answer before it goes to the caller. */
export class AnswerDraft {
  readonly fields: FieldDraft;
  private statusOfHead: number;

  /**
   * @param origin who made it: the upstream, a policy's reply, or the gateway refusing.
   * @param mayBeCut nobody can tell whether it is whole when it ends (RFC 9112 §9.8): it is passed on, and never kept.
   */
  constructor(
    readonly origin: 'upstream' | 'reply' | 'refusal',
    public status: number,
    fields: RawFields,
    readonly mayBeCut = false,
  ) {
    this.fields = new FieldDraft(fields);
    this.statusOfHead = status;
  }

  /** The body is sent in other bytes than these fields speak of (RFC 9110 §8.8.1, RFC 9530 §2 and §3). */
  changeBytes(): void {
    for (const name of OF_THE_BYTES) this.fields.remove(name);
    this.weakenTag();
  }

  /** Says that equal tags stand for equal content and not for equal bytes. */
  weakenTag(): void {
    const etag = this.fields.get('etag');
    if (etag !== undefined && !etag.startsWith('W/')) this.fields.set('etag', `W/${etag}`);
  }

  /** Every hook of the head has run: what is edited from here on is edited by hooks of the body. */
  bodyFollows(): void {
    this.statusOfHead = this.status;
    this.fields.drawLine();
  }

  /**
   * What a hook of the head saw, with what the body hooks of the policies behind it have edited since; what the policies
   * before it made of the head is left out, since they edit a kept answer again when it is given.
   * @param status of the answer in that hook
   * @param fields of the answer in that hook
   */
  editedForBody(status: number, fields: RawFields): { readonly status: number; readonly fields: RawFields } {
    return {
      status: this.status === this.statusOfHead ? status : this.status,
      fields: this.fields.editsOver(fields),
    };
  }
}
