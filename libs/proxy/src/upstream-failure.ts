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
  // The parser's errors carry no code; what else carries none was thrown by code of ours inside a callback.
  switch (error.name === 'HTTPParserError' ? 'HPE' : code) {
    case undefined:
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_NOT_SUPPORTED':
    case 'ERR_ASSERTION':
      return refuse('INTERNAL', {}, more);
    case 'UND_ERR_HEADERS_TIMEOUT':
      return refuse('UPSTREAM_TIMEOUT', { seconds: seconds(timeouts.firstByteMs) }, more);
    case 'UND_ERR_BODY_TIMEOUT':
      return refuse('UPSTREAM_TIMEOUT', { seconds: seconds(timeouts.idleMs) }, more);
    default:
      return refuse(phase === 'connect' ? 'UPSTREAM_UNREACHABLE' : 'UPSTREAM_BROKE', {}, more);
  }
}
