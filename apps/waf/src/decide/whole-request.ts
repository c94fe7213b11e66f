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
import type { InspectionAnswer, Inspector } from '@sallyport/waf';
import { verdictsOnWire } from './answers';

/**
 * Inspects one whole request for an integrator, who need not know what a canonical head is: names of fields may come in
 * any case, and media type and presence of a body are read from what was sent.
 * @throws RefusalError REQUEST_MALFORMED when there is no head.
 */
export function inspectWhole(
  inspector: Inspector,
  { head, plan, tenant, body }: wafV1.InspectRequest,
): wafV1.InspectReply {
  if (!head) throw new RefusalError(refuse('REQUEST_MALFORMED', { reason: 'head is missing' }));
  const fields = head.fields.map(({ name, value }) => ({ name: name.toLowerCase(), value }));
  const contentType = fields.find(({ name }) => name === 'content-type')?.value.toString('latin1');
  const mediaType = contentType === undefined ? '' : (parseMediaType(contentType)?.essence ?? '');
  const hasBody = head.hasBody || body.length > 0;
  const answers: InspectionAnswer[] = [];
  const inspection = inspector.open(
    { head: requestHeadFromWire({ ...head, fields, mediaType, hasBody }), plan, tenant, requestId: '' },
    (answer) => answers.push(answer),
  );
  if (hasBody) inspection.body(body);
  if (hasBody) inspection.bodyEnd();
  inspection.close('inspected');
  return replyOf(answers);
}

/** The engine answers before it returns; the gravest of its answers is the verdict on the whole. */
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
