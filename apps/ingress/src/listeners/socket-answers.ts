import { errors, headers, problemOf, requestId, type Refusal } from '@sallyport/contracts';
import type { Runtime } from '@sallyport/platform';
import type { WafFacts } from '@sallyport/trail';
import type { OpenExchanges } from '../open-exchanges';
import type { GatewayParts } from '../gateway-parts';
import type { Outgoing } from './connection';
import type { BrokenBytes } from './http1-session';

const MOST_HEAD_BYTES = 16 * 1024;

/** Answers bytes that are no request: there is no exchange for them, or it is one that broke in the middle. */
export class SocketAnswers {
  constructor(
    private readonly runtime: Runtime,
    private readonly parts: Pick<
      GatewayParts,
      'publicUrl' | 'refuse' | 'consults' | 'malformedPlan' | 'recordBroken' | 'clock'
    >,
    /** Exchanges under way. */
    private readonly open: OpenExchanges,
  ) {}

  /** The request gets the refusal, unless it has its answer already. */
  readonly brokenBody = (response: Outgoing, refusal: Refusal): void => {
    for (const exchange of this.open)
      if (exchange.response === response) return this.parts.refuse(exchange, refusal, 'close');
  };

  /** Shows what has come of a head to the rules, for the record, and answers. */
  readonly broken = (bytes: BrokenBytes): void => {
    const id = requestId(this.runtime.random);
    const { clock, consults, malformedPlan, recordBroken } = this.parts;
    const { head, refusal, socket } = bytes;
    const startedAt = clock.now();
    const { remoteAddress: clientAddress = 'unknown', remotePort: sourcePort } = socket;
    const answer = (waf: WafFacts | undefined): void => {
      const { http: status } = errors[refusal.code];
      const go = (): void => this.write(bytes, id);
      if (!waf) return go();
      recordBroken({ requestId: id, startedAt, clientAddress, sourcePort, status, refusal, waf }, go);
    };
    if (!head || head.length === 0) return answer(undefined);
    const packet = head.subarray(0, MOST_HEAD_BYTES);
    const shown = { packet, plan: malformedPlan, tenant: 'default', requestId: id, clientAddress };
    consults.inspector.malformed(shown, ({ verdict, hits, scores, ruleset }) =>
      answer({ verdict, hits, ...(scores && { scores }), ...(ruleset !== '' && { ruleset }) }),
    );
  };

  private write({ refusal, cause, answer }: BrokenBytes, id: string): void {
    const { status, headers: fields, body } = problemOf(refusal, { requestId: id, publicUrl: this.parts.publicUrl });
    const text = JSON.stringify(body);
    const all = {
      ...fields,
      [headers.requestId]: id,
      'content-length': Buffer.byteLength(text),
      // RFC 9110 §6.6.1
      date: new Date(this.parts.clock.now()).toUTCString(),
      connection: 'close',
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    answer(`HTTP/1.1 ${status} ${body.title}\r\n${lines.join('')}\r\n${text}`);
    this.runtime.logger.debug({ request_id: id, code: body.code, cause }, 'bytes that are no request');
  }
}
