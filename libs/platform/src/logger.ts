import type { AppName } from '@sallyport/contracts';
import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger as PinoLogger } from 'pino';
import type { LogLevel } from './config';

export type Logger = PinoLogger;

/** Fields whose value is a credential, at any depth of a line. */
const CREDENTIAL_FIELDS =
  /"((?:proxy-)?authorization|cookie|set-cookie|x-api-key|x-goog-api-key|password|passwd|secret|token|admintoken|apikey|api_key|client_secret|pepper)":\[?"(?:[^"\\]|\\.)*"\]?/gi;
/** Credentials inside a text: the user part of a URL, the value of an Authorization field, and our own API keys. */
const URL_USER = /([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"\\]{1,512}@/gi;
const BEARER = /\b(bearer|basic) [A-Za-z0-9._~+/=-]{6,}/gi;
const API_KEY = /\bsp_(live|test)_[A-Za-z0-9]{4,}/g;

/** Takes credentials out of a finished line: the last place they can be stopped, whatever object they came in. */
export function redact(line: string): string {
  return line
    .replace(CREDENTIAL_FIELDS, '"$1":"[redacted]"')
    .replace(URL_USER, '$1[redacted]@')
    .replace(BEARER, '$1 [redacted]')
    .replace(API_KEY, 'sp_$1_[redacted]');
}

/**
 * Makes the log of one application: a JSON line an event, `time level msg app` and, where they apply, `request_id trace_id
 * span_id tenant code`. Lines go to standard error unless `destination` says otherwise: standard output belongs to answers.
 */
export function createLogger(options: {
  app: AppName;
  node: string;
  level: LogLevel | 'silent';
  destination?: DestinationStream;
}): Logger {
  return pino(
    {
      level: options.level,
      base: { app: options.app, node: options.node },
      messageKey: 'msg',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      hooks: { streamWrite: redact },
    },
    options.destination ?? destination({ fd: 2, sync: false }),
  );
}
