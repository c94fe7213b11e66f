import {
  breaker,
  ejection,
  parseDuration,
  retry,
  type ActiveHealth,
  type DeclaredActiveHealth,
  type HedgeSettings,
  type SnapshotUpstream,
  type UpstreamUse,
} from '@sallyport/contracts';
import type { z } from 'zod';

type Declared = Exclude<UpstreamUse, string>;

/** What a snapshot says of an upstream beside its targets and times. */
export type UpstreamSettings = Pick<
  SnapshotUpstream,
  'protocol' | 'tls' | 'balance' | 'health' | 'breaker' | 'limits' | 'adaptive' | 'retry' | 'hedge'
>;

/**
 * Brings the settings of a declared upstream into the form of a snapshot. There what is absent is off; here breaker,
 * ejection and retry are on unless they say `false`, so that a file that names targets only is well guarded.
 */
export function upstreamSettings(declared: Declared): UpstreamSettings {
  const { protocol, tls, balance, limits, adaptive } = declared;
  const health = healthOf(declared);
  const breakerSettings = breakerOf(declared.breaker);
  const retrySettings = retryOf(declared.retry);
  return {
    ...(protocol && { protocol }),
    ...(tls && { tls }),
    ...(balance && { balance }),
    ...(health && { health }),
    ...(breakerSettings && { breaker: breakerSettings }),
    ...(limits && { limits }),
    ...(adaptive && { adaptive }),
    ...(retrySettings && { retry: retrySettings }),
    ...(declared.hedge && { hedge: hedgeOf(declared.hedge) }),
  };
}

/** A group of one has nobody to eject it in favour of. */
function healthOf({ health, targets }: Declared): SnapshotUpstream['health'] {
  const active = health?.active && activeOf(health.active);
  const ejected = targets.length > 1 ? ejectionOf(health?.ejection) : undefined;
  if (!active && !ejected) return undefined;
  return { ...(active && { active }), ...(ejected && { ejection: ejected }) };
}

function activeOf({ every, timeout, ...rest }: DeclaredActiveHealth): ActiveHealth {
  return { ...rest, everyMs: parseDuration(every), timeoutMs: parseDuration(timeout) };
}

function ejectionOf(declared: NonNullable<Declared['health']>['ejection']): z.infer<typeof ejection> | undefined {
  if (declared === false) return undefined;
  if (declared === undefined) return ejection.parse({});
  const { window, latencyFor, base, ...rest } = declared;
  return {
    ...rest,
    windowMs: parseDuration(window),
    latencyForMs: parseDuration(latencyFor),
    baseMs: parseDuration(base),
  };
}

function breakerOf(declared: Declared['breaker']): z.infer<typeof breaker> | undefined {
  if (declared === false) return undefined;
  if (declared === undefined) return breaker.parse({});
  const { window, probe, ...rest } = declared;
  return { ...rest, windowMs: parseDuration(window), probeMs: parseDuration(probe) };
}

function retryOf(declared: Declared['retry']): z.infer<typeof retry> | undefined {
  if (declared === false) return undefined;
  if (declared === undefined) return retry.parse({});
  const { attemptTimeout, ...rest } = declared;
  return { ...rest, ...(attemptTimeout !== undefined && { attemptMs: parseDuration(attemptTimeout) }) };
}

function hedgeOf({ after, ...rest }: NonNullable<Declared['hedge']>): HedgeSettings {
  return { ...rest, ...(after !== undefined && { afterMs: parseDuration(after) }) };
}
