import { Extent, Hit as WireHit, Point, Scores as WireScores, Verdict } from '../gen/sallyport/waf/v1/waf';
import type { Refusal } from '../refusal';
import type { Field, RequestHead } from '../request-head';
import { fieldsByName, refusalFromWire } from '../wire';
import { readRefusal, writeRefusal } from './common-wire';
import type { WireReader } from './wire-reader';
import type { WireWriter } from './wire-writer';

/** Messages of `sallyport.waf.v1.InspectionService/Decide`, as `waf.proto` numbers their fields. */

/** What an exchange is opened with. */
export interface InspectionOpening {
  readonly head: RequestHead;
  readonly plan: string;
  readonly tenant: string;
  readonly requestId: string;
  /** Id of the route: `service/version/route`; left out: of none. */
  readonly route?: string;
}

/** Head of an answer as the upstream gave it. */
export interface AnswerHeadShown {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly version: string;
}

/** Bytes no request could be read from, or a request that was refused before it had a head. */
export interface MalformedShown {
  readonly packet: Uint8Array;
  readonly plan: string;
  readonly tenant: string;
  readonly requestId: string;
  readonly clientAddress: string;
}

export function writeOpen(writer: WireWriter, exchange: number, opening: InspectionOpening): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, exchange);
  const open = writer.open(0x12);
  writeHead(writer, opening.head);
  writer.text(0x12, opening.plan);
  writer.text(0x1a, opening.tenant);
  writer.text(0x22, opening.requestId);
  writer.text(0x2a, opening.route ?? '');
  writer.close(open);
  writer.close(ask);
}

/** Text of a request is bytes on the wire: a string there would have to be UTF-8, and requests are not. */
function writeHead(writer: WireWriter, head: RequestHead): void {
  const opened = writer.open(0x0a);
  writer.text(0x0a, head.method);
  writer.text(0x12, head.scheme);
  writer.text(0x1a, head.authority);
  writer.text(0x22, head.path);
  writer.latin1(0x2a, head.query);
  writer.latin1(0x32, head.rawTarget);
  writer.text(0x3a, head.version);
  writeFields(writer, 0x42, head.fields);
  writer.text(0x4a, head.clientAddress);
  if (head.contentLength !== undefined) writer.uint64(0x50, head.contentLength);
  writer.flag(0x58, head.hasBody);
  writer.text(0x62, head.mediaType ?? '');
  writer.flag(0x68, head.hasQuery);
  if (head.removed) writeFields(writer, 0x72, head.removed);
  writer.close(opened);
}

function writeFields(writer: WireWriter, tag: number, fields: readonly Field[]): void {
  for (let index = 0; index < fields.length; index++) {
    const { name, value } = fields[index]!;
    const field = writer.open(tag);
    writer.text(0x0a, name);
    writer.latin1(0x12, value);
    writer.close(field);
  }
}

export function writeBody(writer: WireWriter, exchange: number, chunk: Uint8Array): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, exchange);
  writer.message(0x1a, chunk);
  writer.close(ask);
}

export function writeBodyEnd(writer: WireWriter, exchange: number): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, exchange);
  writer.close(writer.open(0x22));
  writer.close(ask);
}

export function writeClose(writer: WireWriter, exchange: number, outcome: string): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, exchange);
  const close = writer.open(0x2a);
  writer.text(0x0a, outcome);
  writer.close(close);
  writer.close(ask);
}

export function writeResponseHead(writer: WireWriter, exchange: number, head: AnswerHeadShown): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, exchange);
  const opened = writer.open(0x32);
  writer.uint(0x08, head.status);
  writeFields(writer, 0x12, head.fields);
  writer.text(0x1a, head.version);
  writer.close(opened);
  writer.close(ask);
}

export function writeResponseBody(writer: WireWriter, exchange: number, chunk: Uint8Array): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, exchange);
  writer.message(0x3a, chunk);
  writer.close(ask);
}

export function writeResponseEnd(writer: WireWriter, exchange: number): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, exchange);
  writer.close(writer.open(0x42));
  writer.close(ask);
}

export function writeMalformed(writer: WireWriter, exchange: number, shown: MalformedShown): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, exchange);
  const opened = writer.open(0x4a);
  writer.bytes(0x0a, shown.packet);
  writer.text(0x12, shown.plan);
  writer.text(0x1a, shown.tenant);
  writer.text(0x22, shown.requestId);
  writer.text(0x2a, shown.clientAddress);
  writer.close(opened);
  writer.close(ask);
}

/** Hears the steps of a batch in their order. */
export interface InspectionTaker {
  /** @param opening undefined when there is no head: nothing that could be inspected. */
  open(exchange: number, opening: InspectionOpening | undefined): void;
  /** @param chunk lies in the message: it holds while the message does. */
  body(exchange: number, chunk: Buffer): void;
  bodyEnd(exchange: number): void;
  close(exchange: number, outcome: string): void;
  responseHead(exchange: number, head: AnswerHeadShown): void;
  /** @param chunk lies in the message: it holds while the message does. */
  responseBody(exchange: number, chunk: Buffer): void;
  responseEnd(exchange: number): void;
  /** @param shown its packet lies in the message. */
  malformed(exchange: number, shown: MalformedShown): void;
  /** A step this version does not know. */
  unknown(exchange: number): void;
}

/** @throws RangeError when the message does not add up. */
export function readSteps(reader: WireReader, taker: InspectionTaker): void {
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) readStep(reader, taker);
    else reader.skip(tag);
  }
}

function readStep(reader: WireReader, taker: InspectionTaker): void {
  const end = reader.nested();
  let exchange = 0;
  let step = 0;
  let stepAt = 0;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x08) exchange = reader.varint();
    else {
      // The last member of a oneof counts.
      step = tag;
      stepAt = reader.at;
      reader.skip(tag);
    }
  }
  reader.at = stepAt;
  takeStep(reader, taker, exchange, step);
  reader.at = end;
}

function takeStep(reader: WireReader, taker: InspectionTaker, exchange: number, step: number): void {
  switch (step) {
    case 0x12:
      return taker.open(exchange, readOpen(reader));
    case 0x1a:
      return taker.body(exchange, reader.view());
    case 0x22:
      return taker.bodyEnd(exchange);
    case 0x2a:
      return taker.close(exchange, readOutcome(reader));
    case 0x32:
      return taker.responseHead(exchange, readResponseHead(reader));
    case 0x3a:
      return taker.responseBody(exchange, reader.view());
    case 0x42:
      return taker.responseEnd(exchange);
    case 0x4a:
      return taker.malformed(exchange, readMalformed(reader));
    default:
      return taker.unknown(exchange);
  }
}

function readResponseHead(reader: WireReader): AnswerHeadShown {
  const end = reader.nested();
  reader.prepare(end);
  const fields: Field[] = [];
  let status = 0;
  let version = '';
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x08) status = reader.varint();
    else if (tag === 0x12) fields.push(readField(reader));
    else if (tag === 0x1a) version = reader.text();
    else reader.skip(tag);
  }
  return { status, fields, version };
}

function readMalformed(reader: WireReader): MalformedShown {
  const end = reader.nested();
  let packet: Uint8Array = Buffer.alloc(0);
  let [plan, tenant, requestId, clientAddress] = ['', '', '', ''];
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x0a) packet = reader.view();
    else if (tag === 0x12) plan = reader.text();
    else if (tag === 0x1a) tenant = reader.text();
    else if (tag === 0x22) requestId = reader.text();
    else if (tag === 0x2a) clientAddress = reader.text();
    else reader.skip(tag);
  }
  return { packet, plan, tenant, requestId, clientAddress };
}

function readOutcome(reader: WireReader): string {
  const end = reader.nested();
  let outcome = '';
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x0a) outcome = reader.text();
    else reader.skip(tag);
  }
  return outcome;
}

function readOpen(reader: WireReader): InspectionOpening | undefined {
  const end = reader.nested();
  reader.prepare(end);
  let head: RequestHead | undefined;
  let [plan, tenant, requestId, route] = ['', '', '', ''];
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x0a) head = readHead(reader);
    else if (tag === 0x12) plan = reader.text();
    else if (tag === 0x1a) tenant = reader.text();
    else if (tag === 0x22) requestId = reader.text();
    else if (tag === 0x2a) route = reader.text();
    else reader.skip(tag);
  }
  return head && { head, plan, tenant, requestId, route };
}

/** A head as it came over the wire. The look-up by name is made when it is first wanted. */
class ReadHead implements RequestHead {
  method = '';
  scheme: 'http' | 'https' = 'http';
  authority = '';
  path = '';
  query = '';
  hasQuery = false;
  rawTarget = '';
  version: RequestHead['version'] = '1.1';
  readonly fields: Field[] = [];
  removed: Field[] | undefined = undefined;
  clientAddress = '';
  contentLength: number | undefined = undefined;
  hasBody = false;
  mediaType: string | undefined = undefined;
  private byName: ReadonlyMap<string, string> | undefined = undefined;

  get field(): ReadonlyMap<string, string> {
    return (this.byName ??= fieldsByName(this.fields));
  }
}

function readHead(reader: WireReader): RequestHead {
  const end = reader.nested();
  const head = new ReadHead();
  while (reader.at < end) readHeadMember(reader, head, reader.varint());
  return head;
}

function readHeadMember(reader: WireReader, head: ReadHead, tag: number): void {
  switch (tag) {
    case 0x0a:
      head.method = reader.text();
      return;
    case 0x12:
      head.scheme = reader.text() === 'https' ? 'https' : 'http';
      return;
    case 0x1a:
      head.authority = reader.text();
      return;
    case 0x22:
      head.path = reader.text();
      return;
    case 0x2a:
      head.query = reader.latin1();
      return;
    case 0x32:
      head.rawTarget = reader.latin1();
      return;
    case 0x3a:
      head.version = versionOf(reader.text());
      return;
    case 0x42:
      head.fields.push(readField(reader));
      return;
    default:
      return readHeadRest(reader, head, tag);
  }
}

function readHeadRest(reader: WireReader, head: ReadHead, tag: number): void {
  switch (tag) {
    case 0x4a:
      head.clientAddress = reader.text();
      return;
    case 0x50:
      head.contentLength = reader.varint();
      return;
    case 0x58:
      head.hasBody = reader.varint() !== 0;
      return;
    case 0x62:
      head.mediaType = reader.text() || undefined;
      return;
    case 0x68:
      head.hasQuery = reader.varint() !== 0;
      return;
    case 0x72:
      (head.removed ??= []).push(readField(reader));
      return;
    default:
      return reader.skip(tag);
  }
}

function versionOf(text: string): RequestHead['version'] {
  return text === '2' || text === '1.0' ? text : '1.1';
}

function readField(reader: WireReader): Field {
  const end = reader.nested();
  let [name, value] = ['', ''];
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x0a) name = reader.text();
    else if (tag === 0x12) value = reader.latin1();
    else reader.skip(tag);
  }
  return { name, value };
}

/** What is said about an exchange at one point. */
export interface InspectionSaid {
  readonly point: keyof typeof points;
  readonly verdict: 'pass' | 'flag' | 'refuse';
  readonly refusal?: Refusal;
  readonly hits: readonly HitSaid[];
  readonly enough: boolean;
  readonly scores?: ScoresSaid;
  readonly inspected: InspectedSaid;
  readonly ruleset: string;
  readonly cpuMicros: number;
}

export type HitSaid = Readonly<Omit<WireHit, 'tags'>> & { readonly tags: readonly string[] };

export interface ScoresSaid {
  readonly inbound: { readonly detection: number; readonly blocking: number };
  readonly outbound: { readonly detection: number; readonly blocking: number };
  readonly categories: Readonly<Record<string, number>>;
}

export interface InspectedSaid {
  readonly extent: keyof typeof extents;
  readonly bytes: number;
  readonly why: string | undefined;
}

const points = {
  'request-head': Point.POINT_REQUEST_HEAD,
  'request-body': Point.POINT_REQUEST_BODY,
  'response-head': Point.POINT_RESPONSE_HEAD,
  'response-body': Point.POINT_RESPONSE_BODY,
  malformed: Point.POINT_MALFORMED,
} as const;
const pointNames = namesOf(points);
const verdicts = { pass: Verdict.VERDICT_PASS, flag: Verdict.VERDICT_FLAG, refuse: Verdict.VERDICT_REFUSE } as const;
const verdictNames = namesOf(verdicts);
const extents = {
  full: Extent.EXTENT_FULL,
  partial: Extent.EXTENT_PARTIAL,
  skipped: Extent.EXTENT_SKIPPED,
  exhausted: Extent.EXTENT_EXHAUSTED,
} as const;
const extentNames = namesOf(extents);

/** The names of an enumeration by their numbers. */
function namesOf<Name extends string>(numbers: Readonly<Record<Name, number>>): readonly (Name | undefined)[] {
  const names: (Name | undefined)[] = [];
  for (const name of Object.keys(numbers) as Name[]) names[numbers[name]] = name;
  return names;
}

/** @param said undefined: nobody looked, and what happens then is the route's own decision. */
export function writeInspected(writer: WireWriter, exchange: number, said: InspectionSaid | undefined): void {
  const answer = writer.open(0x0a);
  writer.present(0x08, exchange);
  if (said) {
    writer.uint(0x10, points[said.point]);
    writer.uint(0x18, verdicts[said.verdict]);
    if (said.refusal) writeRefusal(writer, 0x22, said.refusal);
    for (const hit of said.hits) writer.message(0x2a, WireHit.encode({ ...hit, tags: [...hit.tags] }).finish());
  }
  writer.flag(0x30, said?.enough ?? true);
  writer.text(0x3a, said?.refusal?.reason ?? '');
  if (said) writeFacts(writer, said);
  writer.close(answer);
}

function writeFacts(writer: WireWriter, { scores, inspected, ruleset, cpuMicros }: InspectionSaid): void {
  if (scores) writer.message(0x42, WireScores.encode(scoresToWire(scores)).finish());
  const facts = writer.open(0x4a);
  writer.uint(0x08, extents[inspected.extent]);
  writer.uint64(0x10, inspected.bytes);
  writer.text(0x1a, inspected.why ?? '');
  writer.close(facts);
  writer.text(0x52, ruleset);
  writer.uint(0x58, cpuMicros);
}

const UNKNOWN_EXTENT: InspectedSaid = Object.freeze({ extent: 'full', bytes: 0, why: undefined });

/** An answer while it is read: numbers and text as they stand on the wire. */
class AnswerRead {
  point = 0;
  verdict = 0;
  readonly hits: WireHit[] = [];
  enough = false;
  reason = '';
  refused: ReturnType<typeof readRefusal> | undefined = undefined;
  scores: ScoresSaid | undefined = undefined;
  inspected = UNKNOWN_EXTENT;
  ruleset = '';
  cpuMicros = 0;
}

/** Reads one answer whose exchange is known. @param end where it ends. @returns undefined when nobody looked. */
export function readInspected(reader: WireReader, end: number): InspectionSaid | undefined {
  const read = new AnswerRead();
  while (reader.at < end) readAnswerMember(reader, read, reader.varint());
  const verdict = verdictNames[read.verdict];
  if (verdict === undefined) return undefined;
  const { hits, enough, scores, inspected, ruleset, cpuMicros } = read;
  const point = pointNames[read.point] ?? 'request-body';
  const said = { point, verdict, hits, enough, ...(scores && { scores }), inspected, ruleset, cpuMicros };
  return verdict === 'refuse' ? { ...said, refusal: (read.refused ?? unnamed)(read.reason) } : said;
}

function readAnswerMember(reader: WireReader, read: AnswerRead, tag: number): void {
  switch (tag) {
    case 0x10:
      read.point = reader.varint();
      return;
    case 0x18:
      read.verdict = reader.varint();
      return;
    case 0x22:
      read.refused = readRefusal(reader);
      return;
    case 0x2a:
      read.hits.push(WireHit.decode(reader.view()));
      return;
    case 0x30:
      read.enough = reader.varint() !== 0;
      return;
    case 0x3a:
      read.reason = reader.text();
      return;
    default:
      return readAnswerFact(reader, read, tag);
  }
}

function readAnswerFact(reader: WireReader, read: AnswerRead, tag: number): void {
  switch (tag) {
    case 0x42:
      read.scores = scoresFromWire(WireScores.decode(reader.view()));
      return;
    case 0x4a:
      read.inspected = readExtent(reader);
      return;
    case 0x52:
      read.ruleset = reader.text();
      return;
    case 0x58:
      read.cpuMicros = reader.varint();
      return;
    default:
      return reader.skip(tag);
  }
}

function readExtent(reader: WireReader): InspectedSaid {
  const end = reader.nested();
  let [extent, bytes, why] = [0, 0, ''];
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x08) extent = reader.varint();
    else if (tag === 0x10) bytes = reader.varint();
    else if (tag === 0x1a) why = reader.text();
    else reader.skip(tag);
  }
  // A word we do not know yet is not the good one.
  return { extent: extentNames[extent] ?? 'partial', bytes, why: why || undefined };
}

/** Scores as the generated code has them, for whoever answers one whole request. */
export function scoresToWire({ inbound, outbound, categories }: ScoresSaid): WireScores {
  return {
    inboundDetection: inbound.detection,
    inboundBlocking: inbound.blocking,
    outboundDetection: outbound.detection,
    outboundBlocking: outbound.blocking,
    categories: { ...categories },
  };
}

function scoresFromWire(wire: WireScores): ScoresSaid {
  return {
    inbound: { detection: wire.inboundDetection, blocking: wire.inboundBlocking },
    outbound: { detection: wire.outboundDetection, blocking: wire.outboundBlocking },
    categories: wire.categories,
  };
}

/** What was looked at, as the generated code has it. */
export function inspectedToWire({ extent, bytes, why }: InspectedSaid): {
  extent: Extent;
  bytes: bigint;
  why: string;
} {
  return { extent: extents[extent], bytes: BigInt(bytes), why: why ?? '' };
}

/** A refusal that says not why is a refusal. */
const unnamed = (reason: string): Refusal => refusalFromWire({ code: '', params: {}, retryAfterMs: 0 }, reason);
