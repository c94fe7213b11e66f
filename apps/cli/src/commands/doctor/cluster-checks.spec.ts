import type { AdminClient } from '../../admin-client';
import { Failure } from '../../failure';
import { audit, clockOffset, configuration, models } from './cluster-checks';

/** An admin API with one answer. */
function answering(body: unknown, date?: string): AdminClient {
  const admin = {
    get: async () => body,
    ask: async () => ({ status: 200, headers: { date }, text: '' }),
  };
  return admin as unknown as AdminClient;
}

const node = { node: 'a', app: 'ingress', revision: 'c_2', current: true };
const healthy = { ingesting: true, lag_seconds: 0.02, records: 9, gaps: [], quarantined: 0, default_rows: 0 };

describe('doctor, of the configuration', () => {
  it.each([
    ['ok', 'configuration c_2 on 1 node', [node]],
    ['attention', 'configuration c_2 not yet run by waf/b', [node, { ...node, app: 'waf', node: 'b', current: false }]],
    ['failed', 'configuration c_2 refused by ingress/a: /x is odd', [{ ...node, current: false, error: '/x is odd' }]],
  ])('is %s: %s', async (state, summary, nodes) => {
    expect(await configuration(answering({ revision: 'c_2', nodes }))).toMatchObject({ state, summary });
  });

  it('asks for the first file when nothing is published', async () => {
    const finding = await configuration(answering({ revision: null, nodes: [] }));
    expect(finding).toMatchObject({ state: 'attention', fix: expect.stringContaining('sallyport apply') });
  });

  it('is a finding, with code and request, when the question is refused', async () => {
    const failure = new Failure('No.', { exitCode: 69, code: 'ADMIN_UNAVAILABLE', requestId: 'req_1', next: 'wait' });
    const admin = { get: () => Promise.reject(failure) } as unknown as AdminClient;
    expect(await configuration(admin)).toEqual({
      id: 'configuration',
      state: 'failed',
      summary: 'configuration: No. (ADMIN_UNAVAILABLE, req_1)',
      fix: 'wait',
    });
  });
});

describe('doctor, of the audit', () => {
  it.each([
    ['ok', {}],
    ['attention', { ingesting: false }],
    ['attention', { lag_seconds: 31 }],
    ['failed', { gaps: [{}] }],
    ['failed', { quarantined: 1 }],
    ['failed', { default_rows: 1 }],
  ])('is %s with %j', async (state, difference) => {
    expect((await audit(answering({ ...healthy, ...difference }))).state).toBe(state);
  });
});

describe('doctor, of the models', () => {
  const target = (wire: string, credential: string) => ({ provider: 'acme', wire, credential });
  it.each([
    ['attention', [target('echo', 'none')]],
    ['ok', [target('echo', 'none'), target('openai-chat', 'present')]],
    ['failed', [target('openai-chat', 'missing')]],
  ])('is %s with %j', async (state, targets) => {
    expect((await models(answering({ items: [{ name: 'fast', targets }] }))).state).toBe(state);
  });
});

describe('doctor, of the clock', () => {
  const now = Date.parse('2026-11-25T07:27:28.400Z');
  const clock = { now: () => now, monotonic: () => 0 };
  const check = (date?: string) => clockOffset(answering({}, date), clock);

  it.each([
    ['ok', 'Wed, 25 Nov 2026 07:27:28 GMT'],
    ['ok', 'Wed, 25 Nov 2026 07:27:26 GMT'],
    ['failed', 'Wed, 25 Nov 2026 07:27:24 GMT'],
    ['failed', 'Wed, 25 Nov 2026 07:27:31 GMT'],
  ])('is %s when the server says %s', async (state, date) => expect((await check(date)).state).toBe(state));

  it('tells which of the two is ahead', async () => {
    expect((await check('Wed, 25 Nov 2026 07:28:28 GMT')).summary).toBe('clock 60 s behind the server');
    expect((await check('Wed, 25 Nov 2026 07:26:27 GMT')).summary).toBe('clock 60 s ahead of the server');
  });

  it('is not compared without a date', async () => expect((await check()).state).toBe('attention'));
});
