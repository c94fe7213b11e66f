import { isRefusal, refuse, type Refusal } from '@sallyport/contracts';
import { BoundedDecoder, codingsOf, IncomingBody, limits } from '@sallyport/proxy';
import type { Inspection, InspectionAnswer } from '@sallyport/waf';
import type { PausableInspection } from './consult/remote-inspector';
import type { InspectStep } from '@sallyport/pipeline';
import type { DecidedBy } from './consult/with-fallback';
import type { Exchange } from './exchange';
import type { GatewayParts } from './gateway-parts';
import { consultSpan } from './trace';

/** An inspection under way: opened with the head, fed with the body. */
export interface OpenInspection {
  readonly inspection: Inspection & Partial<PausableInspection>;
  /** Whoever waits for the answer on the body. */
  onBody: (answer: InspectionAnswer) => void;
  /** Whoever waits for what is said of the upstream's answer. */
  onAnswer: (answer: InspectionAnswer) => void;
}

/** Shows the head to the Inspector. @param next told whether the head is refused; what comes later is refused here. */
export function inspectHead(exchange: Exchange, parts: GatewayParts, next: (refusal?: Refusal) => void): void {
  const step = exchange.compiled!.inspection;
  if (!step) return next();
  const span = consultSpan(exchange, parts.tracer, 'waf');
  const open: Omit<OpenInspection, 'inspection'> = { onBody: () => undefined, onAnswer: () => undefined };
  const inspection = parts.consults.inspector.open(
    {
      head: exchange.request!,
      plan: step.plan,
      tenant: exchange.route.tenant,
      requestId: exchange.requestId,
      route: exchange.route.id,
    },
    exchange.guarded((answer: InspectionAnswer, decidedBy: DecidedBy = 'service') => {
      if (answer.point === 'request-head') span?.end(answer.refusal && { error: answer.refusal.code });
      if (exchange.over) return;
      take(exchange, answer, decidedBy);
      const gaveUp = gaveUpOn(answer, step);
      const ofAnswer = answer.point === 'response-head' || answer.point === 'response-body';
      // An answer that is only watched goes on, also when nobody could watch it.
      const refusal = answer.refusal ?? gaveUp;
      if (answer.point === 'request-head') return next(refusal);
      if (refusal && (!ofAnswer || step.response?.blocks)) return parts.refuse(exchange, refusal);
      if (ofAnswer) open.onAnswer(answer);
      else open.onBody(answer);
    }),
    step.onFailure,
  );
  exchange.inspection = Object.assign(open, { inspection });
  exchange.onClose(() => inspection.close(exchange.outcome ?? 'client_aborted'));
}

/** What took more work than it may was not inspected: the route says what becomes of it. */
function gaveUpOn({ inspected }: InspectionAnswer, { blocks, onFailure }: InspectStep): Refusal | undefined {
  if (inspected.extent !== 'exhausted' || !blocks || onFailure !== 'deny') return undefined;
  return refuse('WAF_UNAVAILABLE', {}, { reason: `inspection gave up: ${inspected.why ?? 'unknown'}` });
}

/**
 * Reads the body and holds it until the Inspector has seen what it wants to see; `next` gets it, not yet released. A packed
 * body is shown unpacked, and is held until it is known to be no bomb.
 * @param whole wait for the last byte, whatever the Inspector needs
 */
export function inspectBody(
  exchange: Exchange,
  parts: GatewayParts,
  whole: boolean,
  next: (body: IncomingBody) => void,
): void {
  const { incoming, request } = exchange;
  // Nobody here reads the messages of gRPC, and a stream of them cannot be held; its head was inspected.
  const open = exchange.dialect === 'grpc' ? undefined : exchange.inspection;
  if (open !== exchange.inspection) exchange.skipped.push({ control: 'waf', reason: 'grpc-body' });
  const codings = open ? codingsOf(request!.field.get('content-encoding'), exchange.bounds.decompressedLayers) : [];
  if (isRefusal(codings)) return parts.refuse(exchange, codings);

  let wanting = open !== undefined;
  let answered = open === undefined;
  let unpacked = codings.length === 0;
  let handedOn = false;
  const handOn = (): void => {
    if (exchange.over || handedOn || !answered || !unpacked || (whole && !body.isComplete)) return;
    handedOn = true;
    next(body);
  };
  const show = (chunk: Buffer): void => {
    if (!wanting) return;
    const { inspection } = open!;
    wanting = inspection.body(chunk);
    if (!wanting || !inspection.clogged) return;
    // The service reads more slowly than the client sends: the client waits, not the bytes.
    body.holdUp();
    inspection.whenFlowing!(() => body.carryOn());
  };
  const refuseAndClose = (refusal: Refusal): void => parts.refuse(exchange, refusal, 'close');
  const decoder = unpacked
    ? undefined
    : new BoundedDecoder(codings, exchange.bounds, {
        onData: exchange.guarded(show),
        onEnd: exchange.guarded(() => {
          unpacked = true;
          open!.inspection.bodyEnd();
          handOn();
        }),
        onRefused: refuseAndClose,
      });
  const body = new IncomingBody(incoming.body, exchange.body, {
    onChunk: (chunk) => {
      if (decoder) decoder.write(chunk);
      else show(chunk);
    },
    onEnd: () => {
      if (decoder) decoder.end();
      else open?.inspection.bodyEnd();
      handOn();
    },
    onRefused: refuseAndClose,
    onAborted: () => refuseAndClose(BROKEN_OFF),
    onDefect: (error) => parts.failed(exchange, error),
  });
  if (open) {
    open.onBody = () => {
      answered = true;
      handOn();
    };
  }
  exchange.onClose(() => {
    decoder?.destroy();
    leave(exchange, body);
  });
  exchange.reading = body;
  if (request!.expectsContinue) exchange.response.writeContinue?.();
  body.start();
  handOn();
}

const BROKEN_OFF = refuse('REQUEST_MALFORMED', { reason: 'the body broke off' });

/** Reads on for a while what nobody wants any more, so that the caller sees the answer and not a reset. */
function leave({ incoming, connection }: Exchange, body: IncomingBody): void {
  const cut = (): void => {
    if (!incoming.complete) incoming.socket.destroySoon();
  };
  body.discard(connection.limits.pastRefusalBytes, cut);
  if (body.isComplete) return;
  const timer = setTimeout(cut, limits.body.pastRefusalMs);
  timer.unref();
  incoming.body.once('close', () => clearTimeout(timer));
}

/**
 * Shows a request that is refused before it has a head to the rules, for its record, and goes on then. It adds hits and
 * never lets a request through.
 */
export function inspectRefused(exchange: Exchange, parts: GatewayParts, next: () => void): void {
  const { incoming } = exchange;
  const shown = {
    packet: packetOf(incoming),
    plan: parts.malformedPlan,
    tenant: 'default',
    requestId: exchange.requestId,
    clientAddress: incoming.socket.remoteAddress ?? '',
  };
  parts.consults.inspector.malformed(
    shown,
    exchange.guarded((answer: InspectionAnswer, decidedBy: DecidedBy = 'service') => {
      if (exchange.over) return;
      take(exchange, answer, decidedBy);
      next();
    }),
  );
}

const MOST_PACKET_BYTES = 16 * 1024;

/** What of a request that was read was received, as it would stand on the wire. */
function packetOf({ method, url, httpVersion, rawHeaders }: IncomingHead): Buffer {
  const lines = [`${method ?? ''} ${url ?? ''} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1').subarray(0, MOST_PACKET_BYTES);
}

type IncomingHead = Pick<Exchange['incoming'], 'method' | 'url' | 'httpVersion' | 'rawHeaders'>;

function take(exchange: Exchange, answer: InspectionAnswer, decidedBy: DecidedBy): void {
  // What is found when bytes have left already came too late for them.
  const late = answer.point === 'response-body' && exchange.response.headersSent;
  for (const hit of answer.hits) exchange.hits.push(late ? { ...hit, late } : hit);
  if (exchange.verdict === undefined || answer.verdict !== 'pass') exchange.verdict = answer.verdict;
  noteFacts(exchange, answer);
  const before = exchange.decidedBy.waf;
  exchange.decidedBy.waf = before === 'local' ? before : decidedBy;
  // Nobody inspects in the place of the service: what passes then passes unseen, and the record says so.
  if (decidedBy === 'local' && before !== 'local') exchange.skipped.push({ control: 'waf', reason: 'unavailable' });
}

/** Reasons why something was not looked at that nobody has to be told of beside the record. */
const EXPECTED: ReadonlySet<string | undefined> = new Set([
  undefined,
  'off',
  'opaque-type',
  'file-content',
  'unavailable',
]);

function noteFacts(exchange: Exchange, { scores, inspected, ruleset }: InspectionAnswer): void {
  if (scores) exchange.scores = scores;
  if (ruleset !== '') exchange.ruleset = ruleset;
  if (inspected.extent === 'full') return;
  exchange.inspected = inspected;
  const { why } = inspected;
  if (EXPECTED.has(why) || exchange.skipped.some(({ reason }) => reason === why)) return;
  exchange.skipped.push({ control: 'waf', reason: why! });
}
