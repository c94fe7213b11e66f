import type { Refusal } from '@sallyport/contracts';

/**
 * What a call says of its target: `ok` it answered; `error` it answered 5xx; `gateway` it gave no answer, or one that
 * says that it has none to give; `none` nothing, since it was ours to end.
 */
export type Verdict = 'ok' | 'error' | 'gateway' | 'none';

export function verdictOfStatus(status: number): Verdict {
  if (status < 500) return 'ok';
  return status >= 502 && status <= 504 ? 'gateway' : 'error';
}

/** Our own defects and limits say nothing of a target. */
export function verdictOfFailure({ code }: Refusal): Verdict {
  return code === 'INTERNAL' || code === 'UPSTREAM_BUSY' ? 'none' : 'gateway';
}
