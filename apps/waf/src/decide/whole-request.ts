import {
  inspectedToWire,
  requestHeadFromWire,
  refuse,
  RefusalError,
  refusalToWire,
  scoresToWire,
  type wafV1,
} from '@sallyport/contracts';
import { parseMediaType } from '@sallyport/proxy';
import type { InspectionAnswer, InspectionHead, Inspector } from '@sallyport/waf';
import { verdictsOnWire } from './answers';

/**
 * Inspects one whole request for an integrator, who need not know what a canonical head is: names of fields may come in
 * any case, and media type and presence of a body are read from what was sent.
 * @throws RefusalError REQUEST_MALFORMED when there is no head.
 */
export async function inspectWhole(
  inspector: Inspector,
  { head, plan, tenant, body }: wafV1.InspectRequest,
): Promise<wafV1.InspectReply> {
  if (!head) throw new RefusalError(refuse('REQUEST_MALFORMED', { reason: 'head is missing' }));
  const fields = head.fields.map(({ name, value }) => ({ name: name.toLowerCase(), value }));
  const contentType = fields.find(({ name }) => name === 'content-type')?.value.toString('latin1');
  const mediaType = contentType === undefined ? '' : (parseMediaType(contentType)?.essence ?? '');
  const hasBody = head.hasBody || body.length > 0;
  const opening = {
    head: requestHeadFromWire({ ...head, fields, mediaType, hasBody }),
    plan,
    tenant,
    requestId: '',
  };
  return replyOf(await answersOf(inspector, opening, hasBody ? body : undefined));
}

/** Inspection of what is long goes on when others had their turn: its last answer is waited for. */
function answersOf(
  inspector: Inspector,
  opening: InspectionHead,
  body: Uint8Array | undefined,
): Promise<readonly InspectionAnswer[]> {
  return new Promise((resolve) => {
    const answers: InspectionAnswer[] = [];
    const last = body ? 'request-body' : 'request-head';
    const inspection = inspector.open(opening, (answer) => {
      answers.push(answer);
      if (answer.verdict !== 'refuse' && answer.point !== last) return;
      // An answer may come before `open` returns.
      queueMicrotask(() => inspection.close('inspected'));
      resolve(answers);
    });
    if (!body) return;
    inspection.body(body);
    inspection.bodyEnd();
  });
}

/** The gravest of the answers is the verdict on the whole. */
function replyOf(answers: readonly InspectionAnswer[]): wafV1.InspectReply {
  const gravest =
    answers.find(({ verdict }) => verdict === 'refuse') ??
    answers.find(({ verdict }) => verdict === 'flag') ??
    answers.at(-1);
  const last = answers.at(-1);
  return {
    verdict: verdictsOnWire[gravest?.verdict ?? 'pass'],
    refused: gravest?.refusal && refusalToWire(gravest.refusal),
    hits: answers.flatMap(({ hits }) => hits.map((hit) => ({ ...hit, tags: [...hit.tags] }))),
    scores: last?.scores && scoresToWire(last.scores),
    inspected: last && inspectedToWire(last.inspected),
    ruleset: last?.ruleset ?? '',
  };
}
