import { declaredUpstream, snapshotUpstream } from '@sallyport/contracts';
import { upstreamSettings } from './upstream-settings';

const one = { url: 'https://a.example' };
const two = { url: 'https://b.example' };

const settingsOf = (more: object) =>
  upstreamSettings(declaredUpstream.parse({ name: 'a', targets: [one, two], ...more }));

describe('the settings of a declared upstream', () => {
  it('are guarded by breaker, ejection and retry where nothing is said', () => {
    expect(settingsOf({})).toEqual({
      breaker: { consecutive: 5, percent: 50, minimum: 20, windowMs: 10_000, probeMs: 5_000 },
      health: {
        ejection: {
          consecutive: 5,
          percent: 50,
          minimum: 20,
          windowMs: 10_000,
          latencyTimes: 3,
          latencyForMs: 10_000,
          baseMs: 30_000,
          maxPercent: 50,
        },
      },
      retry: { attempts: 2, on: ['connect', 'broke', '502', '503', '504'], budgetPercent: 20, budgetMinimum: 3 },
    });
  });

  it('are none where each is turned off', () => {
    expect(settingsOf({ breaker: false, retry: false, health: { ejection: false } })).toEqual({});
  });

  it('eject nobody from a group of one', () => {
    expect(upstreamSettings(declaredUpstream.parse({ name: 'a', targets: [one] })).health).toBeUndefined();
  });

  it('carry every member over, times in milliseconds', () => {
    const settings = settingsOf({
      protocol: 'http2',
      tls: { ca: '${file:/ca.pem}', certificate: '${file:/c.pem}', key: '${file:/k.pem}', serverName: 'b.example' },
      balance: { by: 'hash', hash: { on: 'header:x-key' } },
      health: {
        active: { path: '/up', every: '1s', timeout: '500ms', expect: [200, '3xx'] },
        ejection: { base: '1m' },
      },
      breaker: { probe: '2s' },
      limits: { requests: 5 },
      adaptive: { most: 200 },
      retry: { attempts: 1, on: ['timeout'], attemptTimeout: '1s' },
      hedge: { after: '50ms' },
    });
    expect(settings).toMatchObject({
      protocol: 'http2',
      tls: { serverName: 'b.example' },
      balance: { by: 'hash', hash: { on: 'header:x-key' } },
      health: { active: { path: '/up', everyMs: 1_000, timeoutMs: 500, healthy: 2 }, ejection: { baseMs: 60_000 } },
      breaker: { probeMs: 2_000, consecutive: 5 },
      limits: { requests: 5, connections: 1_024 },
      adaptive: { least: 4, most: 200, initial: 20, tolerance: 2 },
      retry: { attempts: 1, on: ['timeout'], attemptMs: 1_000 },
      hedge: { afterMs: 50, maxPercent: 5 },
    });
    expect(snapshotUpstream.partial().safeParse(settings).success).toBe(true);
  });

  it.each([
    ['a key in clear', { tls: { certificate: '${file:/c.pem}', key: '-----BEGIN PRIVATE KEY-----' } }],
    ['a key from the environment', { tls: { certificate: '${file:/c.pem}', key: '${env:KEY}' } }],
    ['a certificate without its key', { tls: { certificate: '${file:/c.pem}' } }],
    ['a way to skip verification', { tls: { insecure: true } }],
    ['an adaptive limit of which the least is more than the most', { adaptive: { least: 10, most: 5 } }],
    ['more than two retries', { retry: { attempts: 3 } }],
    ['a larger budget of retries', { retry: { budgetPercent: 21 } }],
    ['ejecting more than half', { health: { ejection: { maxPercent: 51 } } }],
  ])('refuse %s', (_, more) => {
    expect(declaredUpstream.safeParse({ name: 'a', targets: [one], ...more }).success).toBe(false);
  });
});
