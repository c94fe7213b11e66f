import { randomBytes } from 'node:crypto';
import { refuse, type Principal, type RequestHead } from '@sallyport/contracts';
import type { PlanQuestion } from '@sallyport/ai';
import { createMetrics, FallbackWindow, type Logger } from '@sallyport/platform';
import type { AuditEvent, Trail } from '@sallyport/trail';
import type { InspectionAnswer, InspectionHead, MalformedRequest } from '@sallyport/waf';
import { answerUnderTest, inspectionUnderTest } from '../../../../libs/waf/src/inspector.suite';
import type { Silence } from './consult';
import type { PausableInspection } from './remote-inspector';
import {
  fallbackWindows,
  inspectorWithFallback,
  limiterWithFallback,
  modelRouterWithFallback,
  verifierWithFallback,
  type OnFailure,
} from './with-fallback';

let window: FallbackWindow;

beforeEach(() => {
  const clock = { now: () => 0, monotonic: () => 0 };
  const add = (): void => {};
  const seconds = { add, series: () => ({ add }) };
  window = new FallbackWindow('the-service', { clock, seconds, isUp: () => true, began: add, ended: add });
});
afterEach(() => window.close());

const silences: Silence[] = ['down', 'slow', 'full'];

describe('while auth is silent', () => {
  const invalid = refuse('AUTH_KEY_INVALID');
  const local = { verify: (_: unknown, done: (outcome: typeof invalid) => void) => done(invalid) };

  it.each(silences)('the local engine decides, and its decision is marked as local (%s)', (why) => {
    const heard = jest.fn();
    const remote = { verify: (_: unknown, done: (outcome: Silence) => void) => done(why) };
    verifierWithFallback(remote, local, window).verify({} as never, heard);
    expect(heard.mock.calls).toEqual([[invalid, 'local']]);
  });

  it('is not asked when the service refused: a refusal is an answer', () => {
    const heard = jest.fn();
    const refused = refuse('AUTH_REQUIRED');
    const remote = { verify: (_: unknown, done: (outcome: typeof refused) => void) => done(refused) };
    verifierWithFallback(remote, local, window).verify({} as never, heard);
    expect(heard.mock.calls).toEqual([[refused, 'service']]);
  });
});

describe('while rate-limit is silent', () => {
  it('the local share decides', () => {
    const heard = jest.fn();
    const spending = { allowed: false, standings: [] };
    const remote = { spend: (_: string, __: unknown, done: (outcome: Silence) => void) => done('slow') };
    const local = { spend: (_: string, __: unknown, done: (outcome: typeof spending) => void) => done(spending) };
    limiterWithFallback(remote, local, window).spend('default', [], heard);
    expect(heard.mock.calls).toEqual([[spending, 'local']]);
  });
});

describe('while waf is silent', () => {
  const opened = (hasBody: boolean): InspectionHead => ({
    head: { hasBody } as RequestHead,
    plan: 'plan-1',
    tenant: 'default',
    requestId: 'req_1',
  });
  let tell: (outcome: InspectionAnswer | Silence) => void;
  const remote = {
    open: (_: InspectionHead, answer: typeof tell): PausableInspection => {
      tell = answer;
      return { ...inspectionUnderTest, clogged: false, whenFlowing: () => {} };
    },
    malformed: (_: MalformedRequest, answer: typeof tell): void => answer('down'),
  };
  const open = (hasBody: boolean, onFailure: OnFailure) => {
    const heard: [InspectionAnswer, string | undefined][] = [];
    const inspector = inspectorWithFallback(remote, window);
    const inspection = inspector.open(
      opened(hasBody),
      (answer, decidedBy) => heard.push([answer, decidedBy]),
      onFailure,
    );
    const brief = () => heard.map(([{ point, verdict, refusal }, by]) => [point, verdict, refusal?.code, by]);
    return { inspection, brief };
  };
  const passed = answerUnderTest();

  it('refuses a route that denies, at its head and only once', () => {
    const { inspection, brief } = open(true, 'deny');
    tell('down');
    inspection.bodyEnd();
    expect(brief()).toEqual([['request-head', 'refuse', 'WAF_UNAVAILABLE', 'local']]);
  });

  it('lets a route pass that allows it, flagged, at both points', () => {
    const { inspection, brief } = open(true, 'allow_flagged');
    tell('slow');
    expect(brief()).toEqual([['request-head', 'flag', undefined, 'local']]);
    inspection.bodyEnd();
    expect(brief()[1]).toEqual(['request-body', 'flag', undefined, 'local']);
  });

  it('refuses in the middle of a body when the service breaks there', () => {
    const { brief } = open(true, 'deny');
    tell(passed);
    tell('down');
    expect(brief()).toEqual([
      ['request-head', 'pass', undefined, 'service'],
      ['request-body', 'refuse', 'WAF_UNAVAILABLE', 'local'],
    ]);
  });

  it.each(['before', 'after'])('flags a body once when the service breaks %s its end', (when) => {
    const { inspection, brief } = open(true, 'allow_flagged');
    tell(passed);
    if (when === 'before') tell('down');
    inspection.bodyEnd();
    if (when === 'after') tell('down');
    expect(brief().slice(1)).toEqual([['request-body', 'flag', undefined, 'local']]);
  });

  it('flags the answer of a route that allows it, at both of its points', () => {
    const { inspection, brief } = open(false, 'allow_flagged');
    tell(passed);
    inspection.response({ status: 200, fields: [], version: '1.1' });
    tell('slow');
    inspection.responseEnd();
    expect(brief().slice(1)).toEqual([
      ['response-head', 'flag', undefined, 'local'],
      ['response-body', 'flag', undefined, 'local'],
    ]);
  });

  it('owes nothing more of an answer of which the service has seen enough', () => {
    const { inspection, brief } = open(false, 'allow_flagged');
    tell(passed);
    inspection.response({ status: 200, fields: [], version: '1.1' });
    tell({ ...passed, point: 'response-head' });
    tell({ ...passed, point: 'response-body' });
    inspection.responseEnd();
    tell('down');
    expect(brief().map(([point]) => point)).toEqual(['request-head', 'response-head', 'response-body']);
  });

  it('answers bytes that are no request without hits: they are refused in any case', () => {
    const heard = jest.fn();
    inspectorWithFallback(remote, window).malformed({} as MalformedRequest, heard);
    expect(heard.mock.calls).toMatchObject([[{ point: 'malformed', verdict: 'flag', hits: [] }, 'local']]);
  });

  it('says nothing after close', () => {
    const { inspection, brief } = open(true, 'allow_flagged');
    tell('down');
    inspection.close('client_aborted');
    inspection.bodyEnd();
    expect(brief()).toHaveLength(1);
  });
});

describe('while ai-router is silent', () => {
  const question = { tenant: 'default', model: 'm' } as PlanQuestion;
  const planned = { plan: {} as never, lease: () => undefined };
  const make = (outcome: unknown, modelClass: 'public' | 'regulated' | undefined, reached = false) => {
    const settled: string[] = [];
    const remote = {
      plan: (_: unknown, done: (outcome: Silence) => void) => done('down'),
      settle: () => (settled.push('remote'), reached),
      models: () => [{ name: 'm' }],
    };
    const local = {
      plan: (_: unknown, done: (outcome: never) => void) => done(outcome as never),
      settle: () => void settled.push('local'),
      models: () => [],
    };
    const router = modelRouterWithFallback(remote, local, () => modelClass, window);
    const heard = jest.fn();
    router.plan(question, heard);
    return { heard, router, settled };
  };

  it('the local engine plans for a public model', () => {
    expect(make(planned, 'public').heard.mock.calls).toEqual([[planned, 'local']]);
  });

  it('refuses a regulated model', () => {
    const [refusal, by] = make(planned, 'regulated').heard.mock.calls[0];
    expect([refusal.code, by]).toEqual(['AI_ROUTER_UNAVAILABLE', 'local']);
  });

  it('refuses when no leased credential holds', () => {
    const [refusal] = make(refuse('AI_CREDENTIAL_MISSING', { model: 'm' }), 'public').heard.mock.calls[0];
    expect(refusal.code).toBe('AI_ROUTER_UNAVAILABLE');
  });

  it('still says that a model is unknown or forbidden', () => {
    const [refusal] = make(refuse('AI_MODEL_UNKNOWN', { model: 'm' }), undefined).heard.mock.calls[0];
    expect(refusal.code).toBe('AI_MODEL_UNKNOWN');
  });

  it('hands a settlement to the local engine when no router could be told', () => {
    const away = make(planned, 'public');
    away.router.settle({} as never);
    expect(away.settled).toEqual(['remote', 'local']);
    const there = make(planned, 'public', true);
    there.router.settle({} as never);
    expect(there.settled).toEqual(['remote']);
  });

  it('lists models from the snapshot', () => {
    expect(make(planned, 'public').router.models('default', {} as Principal)).toEqual([{ name: 'm' }]);
  });
});

describe('a stretch of time in which a service was stood in for', () => {
  it('is a line of the log at either end and one record of the trail', () => {
    let time = 1_795_000_000_000;
    const lines: [string, unknown][] = [];
    const records: AuditEvent[] = [];
    const log = (level: string) => (fields: object) => void lines.push([level, fields]);
    const windows = fallbackWindows({
      app: 'ingress',
      metrics: createMetrics('ingress'),
      clock: { now: () => time, monotonic: () => time },
      logger: { warn: log('warn'), info: log('info') } as unknown as Logger,
      random: randomBytes,
      trail: { append: (event: AuditEvent) => void records.push(event) } as unknown as Trail,
    });
    const waf = windows.of('waf', () => false);
    for (let count = 0; count < 5; count++) waf.stoodIn('allow_flagged');
    time += 2_500;
    waf.answered();
    windows.close();
    expect(lines).toEqual([
      ['warn', { service: 'waf', mode: 'allow_flagged' }],
      ['info', { service: 'waf', mode: 'allow_flagged', requests: 5, milliseconds: 2_500 }],
    ]);
    expect(records.map(({ kind, tenant, body }) => [kind, tenant, body['unmapped']])).toEqual([
      [
        'control.reported',
        'system',
        {
          sallyport: {
            app: 'ingress',
            detail: {
              ended_at: '2026-11-18T11:06:42.500Z',
              mode: 'allow_flagged',
              requests: 5,
              service: 'waf',
              started_at: '2026-11-18T11:06:40.000Z',
            },
            kind: 'control.reported',
            what: 'fallback',
          },
        },
      ],
    ]);
  });
});
