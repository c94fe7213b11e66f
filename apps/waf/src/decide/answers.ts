import { refusalToWire, wafV1 } from '@sallyport/contracts';
import type { InspectionAnswer } from '@sallyport/waf';

const points: Readonly<Record<InspectionAnswer['point'], wafV1.Point>> = {
  'request-head': wafV1.Point.POINT_REQUEST_HEAD,
  'request-body': wafV1.Point.POINT_REQUEST_BODY,
};

export const verdictsOnWire: Readonly<Record<InspectionAnswer['verdict'], wafV1.Verdict>> = {
  pass: wafV1.Verdict.VERDICT_PASS,
  flag: wafV1.Verdict.VERDICT_FLAG,
  refuse: wafV1.Verdict.VERDICT_REFUSE,
};

export function answerToWire(exchange: number, answer: InspectionAnswer): wafV1.Answer {
  return {
    exchange,
    point: points[answer.point],
    verdict: verdictsOnWire[answer.verdict],
    refused: answer.refusal && refusalToWire(answer.refusal),
    hits: answer.hits.map((hit) => ({ ...hit })),
    enough: answer.enough,
  };
}

/** Tells that nobody looked: what happens then is the route's own decision, and never a pass in our name. */
export function notInspected(exchange: number): wafV1.Answer {
  return {
    exchange,
    point: wafV1.Point.POINT_UNSPECIFIED,
    verdict: wafV1.Verdict.VERDICT_UNSPECIFIED,
    refused: undefined,
    hits: [],
    enough: true,
  };
}
