import { refuse } from '@sallyport/contracts';
import { IncomingBody, limits } from '@sallyport/proxy';
import type { Inspection, InspectionAnswer } from '@sallyport/waf';
import type { DecidedBy } from './consult/with-fallback';
import type { Exchange } from './exchange';
import type { GatewayParts } from './gateway-parts';
import { consultSpan } from './trace';

/** Inspections under way, by exchange: opened with the head, fed with the body. */
const inspections = new WeakMap<Exchange, OpenInspection>();

interface OpenInspection {
  readonly inspection: Inspection;
  /** Whoever waits for the answer on the body. */
  onBody: (answer: InspectionAnswer) => void;
}

/** Shows the head to the Inspector; `next` when it may go on. */
export function inspectHead(exchange: Exchange, parts: GatewayParts, next: () => void): void {
  const step = exchange.compiled!.inspection;
  if (!step) return next();
  const span = consultSpan(exchange, parts.tracer, 'waf');
  const open: { onBody: OpenInspection['onBody'] } = { onBody: () => undefined };
  const inspection = parts.consults.inspector.open(
    { head: exchange.request!, plan: step.plan, tenant: exchange.route.tenant, requestId: exchange.requestId },
    (answer, decidedBy = 'service') => {
      if (answer.point === 'request-head') span?.end(answer.refusal && { error: answer.refusal.code });
      if (exchange.over) return;
      take(exchange, answer, decidedBy);
      if (answer.refusal) return parts.refuse(exchange, answer.refusal);
      if (answer.point === 'request-head') next();
      else open.onBody(answer);
    },
    step.onFailure,
  );
  inspections.set(exchange, Object.assign(open, { inspection }));
  exchange.onClose(() => inspection.close(exchange.outcome ?? 'client_aborted'));
}

/**
 * Reads the body and holds it until the Inspector has seen what it wants to see; `next` gets it, not yet released.
 * @param whole wait for the last byte, whatever the Inspector needs
 */
export function inspectBody(
  exchange: Exchange,
  parts: GatewayParts,
  whole: boolean,
  next: (body: IncomingBody) => void,
): void {
  const open = inspections.get(exchange);
  const broken = refuse('REQUEST_MALFORMED', { reason: 'the body broke off' });
  let wanting = open !== undefined;
  let answered = open === undefined;
  let handedOn = false;
  const handOn = (): void => {
    if (exchange.over || handedOn || !answered || (whole && !body.isComplete)) return;
    handedOn = true;
    next(body);
  };
  const body = new IncomingBody(exchange.incoming, exchange.body, {
    onChunk: (chunk) => {
      if (wanting) wanting = open!.inspection.body(chunk);
    },
    onEnd: () => {
      if (open) open.inspection.bodyEnd();
      handOn();
    },
    onRefused: (refusal) => parts.refuse(exchange, refusal, 'close'),
    onAborted: () => parts.refuse(exchange, broken, 'close'),
  });
  if (open) {
    open.onBody = () => {
      answered = true;
      handOn();
    };
  }
  exchange.onClose(() => body.discard(limits.body.pastRefusalBytes, () => exchange.incoming.socket.destroySoon()));
  body.start();
  handOn();
}

function take(exchange: Exchange, answer: InspectionAnswer, decidedBy: DecidedBy): void {
  exchange.hits.push(...answer.hits);
  if (exchange.verdict === undefined || answer.verdict !== 'pass') exchange.verdict = answer.verdict;
  const before = exchange.decidedBy.waf;
  exchange.decidedBy.waf = before === 'local' ? before : decidedBy;
  // Nobody inspects in the place of the service: what passes then passes unseen, and the record says so.
  if (decidedBy === 'local' && before !== 'local') exchange.skipped.push({ control: 'waf', reason: 'unavailable' });
}
