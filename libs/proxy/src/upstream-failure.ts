import { refuse, type Refusal } from '@sallyport/contracts';
import type { ForwardPhase } from './forward';
import type { UpstreamTimeouts } from './limits';

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000);

/**
 * Says what a transport error means to the caller. The cause goes into `reason`, for the record and the log only: it
 * may name hosts and addresses.
 */
export function upstreamFailure(error: Error, phase: ForwardPhase, timeouts: UpstreamTimeouts): Refusal {
  const code = (error as NodeJS.ErrnoException).code;
  const more = { reason: code ? `${code}: ${error.message}` : error.message };
  switch (code) {
    // What carries no code was thrown by code of ours inside a callback.
    case undefined:
      return refuse('INTERNAL', {}, more);
    case 'SALLYPORT_FIRST_BYTE':
      return refuse('UPSTREAM_TIMEOUT', { seconds: seconds(timeouts.firstByteMs) }, more);
    case 'SALLYPORT_SEND':
      return refuse('UPSTREAM_TIMEOUT', { seconds: seconds(timeouts.sendMs ?? timeouts.firstByteMs) }, more);
    case 'SALLYPORT_IDLE':
      return refuse('UPSTREAM_TIMEOUT', { seconds: seconds(timeouts.idleMs) }, more);
    case 'SALLYPORT_CONNECT_TIMEOUT':
      return refuse('UPSTREAM_TIMEOUT', { seconds: seconds(timeouts.connectMs) }, { ...more, unsent: true });
    case 'SALLYPORT_FULL':
      return refuse('UPSTREAM_BUSY', {}, { ...more, retryAfterMs: 1_000 });
    default:
      return refuse(phase === 'connect' ? 'UPSTREAM_UNREACHABLE' : 'UPSTREAM_BROKE', {}, more);
  }
}
