import { judgeStatus } from './refusal';

const now = Date.UTC(2026, 10, 30, 12, 0, 0);

describe('judgeStatus', () => {
  it.each([
    ['7', 7_000],
    ['0', 0],
    ['Mon, 30 Nov 2026 12:01:30 GMT', 90_000],
    ['Mon, 30 Nov 2026 11:00:00 GMT', 0],
    ['Tue, 01 Dec 2026 12:00:00 GMT', 3_600_000],
    ['999999999', 3_600_000],
    ['-7', expect.any(Number)],
    ['soon', 1_000],
    ['', 1_000],
    [undefined, 1_000],
  ])('tells a wait of %j on', (retryAfter, retryAfterMs) => {
    const { elsewhere, refusal } = judgeStatus(429, retryAfter, Buffer.alloc(0), now, 1);
    expect(elsewhere).toBe(true);
    expect(refusal).toMatchObject({ code: 'UPSTREAM_BUSY', retryAfterMs });
    expect(refusal.retryAfterMs).toBeLessThanOrEqual(3_600_000);
  });
});
