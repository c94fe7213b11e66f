import { shareAtLeast, tells, type Recorded } from './chaos/checkers';
import { isServed, ratio, type Row } from './chaos/ledger';
import { availability, noneTold5xx } from './chaos/under-load';

const row = (more: Partial<Row> = {}): Row => ({
  id: 'a-1',
  route: 'open',
  kind: 'allowed',
  stream: false,
  scheduled: 0,
  sent: 0,
  received: 1,
  headAt: 1,
  status: 200,
  bodyHash: undefined,
  bytes: 2,
  requestId: 'req_1',
  configVersion: 'c_1',
  limitPolicy: undefined,
  originPath: undefined,
  code: undefined,
  detail: undefined,
  error: undefined,
  again: false,
  crossed: false,
  door: 0,
  ...more,
});

describe('the checkers of the chaos harness', () => {
  it('are shown nothing by a load of which nothing came', () => {
    expect(shareAtLeast('served', ratio([], isServed), 0.995).passed).toBe(false);
    expect(availability('allowed', []).every(({ passed }) => passed)).toBe(false);
    expect(availability('allowed', [row()]).every(({ passed }) => passed)).toBe(true);
  });

  it('hold one broken answer among a thousand good ones against the product, where none may fail', () => {
    const good = Array.from({ length: 1_000 }, () => row());
    expect(noneTold5xx(good).passed).toBe(true);
    expect(noneTold5xx([...good, row({ status: 502, code: 'UPSTREAM_UNREACHABLE' })]).passed).toBe(false);
    // What the contract itself closes, or sheds, is no broken answer.
    expect(noneTold5xx([...good, row({ status: 503, code: 'INGRESS_OVERLOADED' })]).passed).toBe(true);
    expect(noneTold5xx([...good, row({ status: 503, code: 'WAF_UNAVAILABLE', route: 'guarded' })]).passed).toBe(true);
  });

  it.each<[string, Partial<Recorded>, Partial<Row>, boolean]>([
    ['route, status and consumer', {}, {}, true],
    ['another route', { route: 'inner/v1/all' }, {}, false],
    ['no route, of what was served', { route: null }, {}, false],
    ['no route, of what was refused', { route: null, status: 401 }, { status: 401, kind: 'absent' }, true],
    ['another status', { status: 502 }, {}, false],
    ['another consumer', { app: 'greedy' }, {}, false],
  ])('judge a record that says %s', (_, said, answered, passes) => {
    const record = { request_id: 'req_1', route: 'open/v1/all', status: 200, app: 'steady', ...said };
    expect(tells(record, row(answered))).toBe(passes);
  });
});
