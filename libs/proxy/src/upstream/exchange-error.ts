/** What ends an exchange from our side; the code tells what it means to the caller. */
export class ExchangeError extends Error {
  constructor(
    readonly code: 'SALLYPORT_FIRST_BYTE' | 'SALLYPORT_IDLE' | 'SALLYPORT_SEND' | 'SALLYPORT_BAD_ANSWER',
    message: string,
  ) {
    super(message);
    this.name = 'ExchangeError';
  }
}

/** A request of ours that cannot be written: a defect, not an event. Without a code, since it is never the upstream's failure. */
export class UnsendableRequest extends Error {}

/** The body of a request ended before its end. Without a code, since that is never the upstream's failure. */
export function bodyBroke(cause?: Error): Error {
  return new Error(`the body of the request broke off${cause ? `: ${cause.message}` : ''}`, { cause });
}

/** What an exchange waits for. */
export type Wait = 'first byte' | 'next byte' | 'send';

export function tooSlow(wait: Wait): ExchangeError {
  switch (wait) {
    case 'first byte':
      return new ExchangeError('SALLYPORT_FIRST_BYTE', 'no answer came in time');
    case 'send':
      return new ExchangeError('SALLYPORT_SEND', 'the request was not read in time');
    case 'next byte':
      return new ExchangeError('SALLYPORT_IDLE', 'the answer stalled');
  }
}
