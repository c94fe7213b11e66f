import type { InspectionAnswer } from '@sallyport/waf';
import { answerUnderTest, headUnderTest, inspectionUnderTest } from '../../../libs/waf/src/inspector.suite';
import { ComparedInspection, type Found, type Opening } from './compared-inspection';

type Hear = (answer: InspectionAnswer) => void;

describe('a request that two rule sets see', () => {
  let told: [Found, Found][];
  let decided: Hear;
  let watched: Hear;
  let inspection: ComparedInspection;

  beforeEach(() => {
    told = [];
    const keeping =
      (keep: (answer: Hear) => void): Opening =>
      (answer) => {
        keep(answer);
        return inspectionUnderTest;
      };
    inspection = new ComparedInspection(
      { head: headUnderTest({}), plan: 'structural:block' },
      keeping((answer) => (decided = answer)),
      keeping((answer) => (watched = answer)),
      () => undefined,
      (...found) => told.push(found),
    );
  });

  const answer = (ruleset: string) => answerUnderTest({ point: 'request-head', verdict: 'pass', ruleset });

  it('is compared once, when both have said what they found', () => {
    decided(answer('crs-4.27.0'));
    expect(told).toEqual([]);
    watched(answer('crs-4.28.0'));
    inspection.close('answered');
    expect(told.map((sides) => sides.map(({ ruleset }) => ruleset))).toEqual([['crs-4.27.0', 'crs-4.28.0']]);
  });

  it('is not compared where its caller was gone before both had looked', () => {
    decided(answer('crs-4.27.0'));
    inspection.close('client_aborted');
    expect(told).toEqual([]);
  });
});
