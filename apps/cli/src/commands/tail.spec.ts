import { lineOf, matches, type RequestRecord } from './tail';

const colourless = { paint: (_: unknown, text: string) => text };

const record: RequestRecord = {
  position: 7,
  at: '2026-11-25T12:04:11.250Z',
  actor: { app_name: 'finance' },
  http_request: { http_method: 'POST', url: { path: '/v1/chat/completions' } },
  http_response: { code: 200, latency: 9 },
  message_context: { total_tokens: 12 },
  unmapped: {
    sallyport: {
      request_id: 'req_8sQ2',
      route: 'system/v1/chat-completions',
      service: 'models',
      model: 'echo',
      outcome: 'ok',
      cost_usd: '0',
      credential: { id: 'D936D5AVude' },
      waf: { verdict: 'pass' },
      limit: { remaining: 59 },
    },
  },
};

/** The time of day is that of the place where the test runs. */
function show(shown: RequestRecord, key?: string): string {
  return lineOf(shown, key, colourless).replace(/^\d\d:\d\d:\d\d /, '');
}

describe('a line of tail', () => {
  it('begins with the time of day', () => {
    expect(lineOf(record, 'demo', colourless)).toMatch(/^\d\d:\d\d:11 200 POST /);
  });

  it('tells who asked for what, how long it took, and what was decided', () => {
    expect(show(record, 'demo')).toBe(
      '200 POST /v1/chat/completions key=demo model=echo 9 ms 12 tok $0 waf=pass limit=59 req_8sQ2',
    );
  });

  it('names the code of a refusal, and no cost', () => {
    const refused: RequestRecord = {
      ...record,
      http_response: { code: 429, latency: 1 },
      message_context: undefined,
      unmapped: {
        sallyport: { outcome: 'refused', code: 'LIMIT_EXCEEDED', unpriced: true, count: 3, request_id: 'req_1' },
      },
    };
    expect(show(refused)).toBe('429 POST /v1/chat/completions key=finance 1 ms LIMIT_EXCEEDED count=3 req_1');
  });

  it('says so when nobody knows the price, or the caller left early', () => {
    const unpriced = { ...record.unmapped!.sallyport!, cost_usd: null, unpriced: true, outcome: 'client_aborted' };
    expect(show({ ...record, http_response: undefined, unmapped: { sallyport: unpriced } })).toBe(
      '--- POST /v1/chat/completions key=finance model=echo 12 tok unpriced waf=pass limit=59 client_aborted req_8sQ2',
    );
  });

  it('shows no control characters of a path', () => {
    const path = '/a\u001b[2J';
    expect(show({ position: 1, at: record.at, http_request: { http_method: 'GET', url: { path } } })).toBe(
      '--- GET /a�[2J',
    );
  });
});

describe('a filter of tail', () => {
  it.each([
    [{}, true],
    [{ key: 'demo' }, true],
    [{ key: 'D936D5AVude' }, true],
    [{ key: 'finance' }, true],
    [{ key: 'other' }, false],
    [{ route: 'system/v1/chat-completions' }, true],
    [{ route: 'models' }, true],
    [{ route: 'orders' }, false],
    [{ model: 'echo' }, true],
    [{ model: 'fast' }, false],
    [{ status: '200' }, true],
    [{ status: '2xx' }, true],
    [{ status: '4xx' }, false],
    [{ key: 'demo', status: '500' }, false],
  ])('%j', (filter, expected) => {
    expect(matches(record, 'demo', filter)).toBe(expected);
  });

  it('by key does not take a request without one', () => {
    expect(matches({ position: 1, at: record.at }, undefined, { key: 'demo' })).toBe(false);
  });
});
