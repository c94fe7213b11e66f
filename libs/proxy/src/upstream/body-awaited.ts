import { Readable } from 'node:stream';
import type { UpstreamBody } from '../forward';

/** Whether bytes of a body on its way up are wanted that have not come; one that is paused waits for the upstream. */
export function isBodyAwaited(body: UpstreamBody): boolean {
  return body instanceof Readable && !body.readableEnded && !body.isPaused();
}
