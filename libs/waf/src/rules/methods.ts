import { refuse } from '@sallyport/contracts';
import type { HeadRule } from '../rule';

/** Methods that reflect the request, tunnel or debug. */
const forbidden: ReadonlySet<string> = new Set(['TRACE', 'TRACK', 'CONNECT', 'DEBUG']);

export const forbiddenMethod: HeadRule = {
  id: 7701001,
  severity: 'critical',
  message: 'Method that no API should serve',
  explanation:
    'TRACE and TRACK hand request fields back to scripts, CONNECT opens tunnels, DEBUG starts debuggers. No client of an API needs them.',
  inspect: ({ head }) =>
    forbidden.has(head.method)
      ? { variable: 'REQUEST_METHOD', data: head.method, refusal: refuse('WAF_BLOCKED') }
      : undefined,
};
