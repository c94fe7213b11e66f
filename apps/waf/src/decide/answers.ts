import { wafV1, type InspectionSaid } from '@sallyport/contracts';

export const verdictsOnWire: Readonly<Record<InspectionSaid['verdict'], wafV1.Verdict>> = {
  pass: wafV1.Verdict.VERDICT_PASS,
  flag: wafV1.Verdict.VERDICT_FLAG,
  refuse: wafV1.Verdict.VERDICT_REFUSE,
};
