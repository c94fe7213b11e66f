import { Readable } from 'node:stream';
import { isRefusal, type Refusal } from '@sallyport/contracts';
import {
  isReply,
  RequestDraft,
  type BodyOut,
  type BodyTransform,
  type CompiledRoute,
  type Verdict,
} from '@sallyport/pipeline';
import { withoutPrefix, type IncomingBody, type UpstreamBody } from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { inspectBody } from '../inspect';
import { isHeldWhole } from '../send/held-whole';
import { sendReply } from './answer-pipe';

/** The body of a request as the hooks of its route left it. */
export interface PreparedBody {
  /** Hands it on, once. */
  release(): UpstreamBody;
  /** Length of a body that is still coming; undefined where nobody knows it. */
  readonly announced: number | undefined;
}

type Waiting = CompiledRoute['authorised'] | CompiledRoute['intercept'];
type BodyStep = CompiledRoute['requestBody'][number];

/**
 * Asks hooks that may wait, one after the other; `next` when all let the request pass.
 * @param draft for those that run when there is one
 */
export function askInTurn(
  exchange: Exchange,
  parts: GatewayParts,
  steps: Waiting,
  next: () => void,
  draft?: RequestDraft,
): void {
  if (steps.length === 0) return next();
  let asked = 0;
  const ask = (): void => {
    if (exchange.over) return;
    const step = steps[asked++];
    if (!step) return next();
    const done = once(exchange, parts, step.at, ask);
    attempt(exchange, parts, () => step.run(exchange.policyInput, done, draft!));
  };
  ask();
}

/** Takes the first answer of a hook; a refusal or a reply ends the request's way. */
function once(exchange: Exchange, parts: GatewayParts, at: number, next: () => void): (verdict: Verdict) => void {
  let answered = false;
  return (verdict) => {
    if (answered || exchange.over) return;
    answered = true;
    if (!endedBy(exchange, parts, verdict, at)) next();
  };
}

/** Ends the way of a request with a verdict; @returns false when the verdict lets it pass. */
export function endedBy(exchange: Exchange, parts: GatewayParts, verdict: Verdict, at: number): boolean {
  if (verdict === undefined) return false;
  if (isReply(verdict)) sendReply(exchange, parts, verdict, at);
  else parts.refuse(exchange, verdict);
  return true;
}

/**
 * Makes of an admitted request what goes upstream: the hooks edit its head, its body is read and inspected, the hooks
 * see the body, and one of them may still answer in the upstream's place.
 */
export function prepareRequest(
  exchange: Exchange,
  parts: GatewayParts,
  next: (body: PreparedBody | undefined) => void,
): void {
  const { shape, requestBody, intercept } = exchange.compiled!;
  if (shape.length > 0 || requestBody.length > 0 || intercept.length > 0) {
    const refusal = attempt(exchange, parts, () => shapeHead(exchange));
    if (refusal) return parts.refuse(exchange, refusal);
    if (exchange.over) return;
  }
  const goOn = (body: PreparedBody | undefined): void => {
    askInTurn(exchange, parts, intercept, () => next(body), exchange.draft);
  };
  if (requestBody.length === 0) return readBody(exchange, parts, isHeldWhole(exchange, parts), goOn);
  attempt(exchange, parts, () => bodyThroughHooks(exchange, parts, requestBody, goOn));
}

function shapeHead(exchange: Exchange): Refusal | undefined {
  const request = exchange.request!;
  const path = exchange.route.stripPrefix
    ? withoutPrefix(request.path, exchange.matched, request.oddities)
    : request.path;
  if (isRefusal(path)) return path;
  const draft = (exchange.draft = new RequestDraft(request, path, request.oddities));
  for (const { run } of exchange.compiled!.shape) {
    const refusal = run(exchange.policyInput, draft);
    if (refusal) return refusal;
  }
  return undefined;
}

function readBody(
  exchange: Exchange,
  parts: GatewayParts,
  whole: boolean,
  next: (body: PreparedBody | undefined, incoming?: IncomingBody) => void,
): void {
  const { hasBody, contentLength } = exchange.request!;
  if (!hasBody) return next(undefined);
  inspectBody(exchange, parts, whole, (body) =>
    next({ release: () => body.release(), announced: contentLength }, body),
  );
}

function bodyThroughHooks(
  exchange: Exchange,
  parts: GatewayParts,
  steps: CompiledRoute['requestBody'],
  next: (body: PreparedBody | undefined) => void,
): void {
  const wanted = steps.filter(({ run }) => run.mode === 'stream' || (run.wants?.(exchange.policyInput) ?? true));
  const wholes = wanted.filter(({ run }) => run.mode === 'whole');
  for (const { run } of wholes) if (run.mode === 'whole') exchange.capBody(run.maxBytes);
  const tooLarge = exchange.body.announce(exchange.request!.contentLength);
  if (tooLarge) return parts.refuse(exchange, tooLarge);
  readBody(exchange, parts, wholes.length > 0, (prepared, incoming) =>
    attempt(exchange, parts, () => {
      const streams = wanted.filter(({ run }) => run.mode === 'stream');
      const handOn = (body: PreparedBody | undefined): void =>
        next(body && throughStreams(exchange, parts, body, streams));
      if (wholes.length === 0) return handOn(prepared);
      const bytes = incoming?.bytes() ?? Buffer.alloc(0);
      runWholes(exchange, parts, wholes, bytes, (made) => {
        prepared?.release();
        handOn(made.length === 0 ? undefined : { release: () => made, announced: made.length });
      });
    }),
  );
}

function runWholes(
  exchange: Exchange,
  parts: GatewayParts,
  steps: readonly BodyStep[],
  body: Buffer,
  next: (body: Buffer) => void,
): void {
  const step = steps[0];
  if (!step) return next(body);
  if (step.run.mode !== 'whole') return;
  let answered = false;
  const hook = step.run;
  const run = (): void =>
    hook.run(exchange.policyInput, body, exchange.draft!, (made) => {
      if (answered || exchange.over) return;
      answered = true;
      const replaced = Buffer.isBuffer(made) ? made : body;
      if (!Buffer.isBuffer(made) && endedBy(exchange, parts, made, step.at)) return;
      runWholes(exchange, parts, steps.slice(1), replaced, next);
    });
  parts.bodyWork.do(() => exchange.over || attempt(exchange, parts, run));
}

/** Puts the transforms of a route between the body and the upstream. */
function throughStreams(
  exchange: Exchange,
  parts: GatewayParts,
  body: PreparedBody,
  steps: readonly BodyStep[],
): PreparedBody {
  const openers = steps.flatMap(({ run }) => (run.mode === 'stream' ? [run] : []));
  if (openers.length === 0) return body;
  const feed = new TransformedBody(exchange, parts);
  for (const opener of openers) feed.append((out) => opener.open(exchange.policyInput, exchange.draft!, out));
  if (!feed.transforms) return body;
  return { release: () => feed.from(body.release()), announced: undefined };
}

/** A body on its way up through transforms; it belongs to the exchange and is destroyed with it. */
class TransformedBody extends Readable {
  private readonly chain: BodyTransform[] = [];
  private source: Readable | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly parts: GatewayParts,
  ) {
    super();
  }

  get transforms(): boolean {
    return this.chain.length > 0;
  }

  append(open: (out: BodyOut) => BodyTransform | undefined): void {
    const place = this.chain.length;
    const transform = open({
      data: (chunk) => this.chain[place + 1]?.data(chunk) ?? this.push(chunk),
      end: () => {
        const next = this.chain[place + 1];
        if (next) next.end();
        else this.push(null);
      },
      room: () => this.resumeFrom(place - 1),
      refuse: (refusal) => this.parts.refuse(this.exchange, refusal),
    });
    if (transform) this.chain.push(transform);
  }

  from(body: UpstreamBody): Readable {
    const [first] = this.chain;
    if (body instanceof Readable) {
      this.source = body;
      body.on('data', (chunk: Buffer) => {
        attempt(this.exchange, this.parts, () => {
          if (!first!.data(chunk)) body.pause();
        });
      });
      body.on('end', () => attempt(this.exchange, this.parts, () => first!.end()));
      body.on('error', (error) => this.destroy(error));
      body.on('close', () => {
        if (!body.readableEnded) this.destroy();
      });
    } else {
      if (body) first!.data(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
      first!.end();
    }
    return this;
  }

  override _read(): void {
    this.resumeFrom(this.chain.length - 1);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    for (const transform of this.chain) transform.close?.();
    this.source?.destroy();
    done(error);
  }

  private resumeFrom(place: number): void {
    attempt(this.exchange, this.parts, () => {
      for (let at = place; at >= 0; at--) this.chain[at]!.resume?.();
    });
    this.source?.resume();
  }
}

/** A throw in a hook is this request's 500. */
export function attempt<Value>(exchange: Exchange, parts: GatewayParts, step: () => Value): Value | undefined {
  try {
    return step();
  } catch (error) {
    parts.failed(exchange, error);
    return undefined;
  }
}
