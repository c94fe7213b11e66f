import { lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import { AddressNotAllowed, guardedLookup, isAddressAllowed, type Lookup } from './address-guard';

export interface DocumentRequest {
  readonly url: string;
  /** Whether private and loopback addresses are meant. */
  readonly allowPrivate: boolean;
  /** A longer document fails. */
  readonly maxBytes: number;
  /** For the whole of it. */
  readonly timeoutMs: number;
}

/**
 * Fetches a small document that configuration names, such as a JWK set: to checked addresses only, without redirects, and
 * never more of it than was asked for.
 * @throws when it cannot be had whole, in time, with status 200.
 */
export async function fetchDocument(
  { url, allowPrivate, maxBytes, timeoutMs }: DocumentRequest,
  lookup: Lookup = systemLookup,
): Promise<Uint8Array> {
  const agent = new Agent({
    connect: guardedConnector(allowPrivate, timeoutMs, lookup),
    maxResponseSize: maxBytes,
  });
  try {
    const { statusCode, body } = await request(url, {
      dispatcher: agent,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { accept: 'application/json', 'user-agent': 'sallyport' },
    });
    if (statusCode !== 200) throw new Error(`the answer has status ${statusCode}`);
    return new Uint8Array(await body.arrayBuffer());
  } finally {
    await agent.destroy();
  }
}

/** Connects to checked addresses only; a literal address is checked here since nobody looks it up. */
function guardedConnector(allowPrivate: boolean, timeout: number, lookup: Lookup): buildConnector.connector {
  const connect = buildConnector({
    timeout,
    allowH2: false,
    lookup: guardedLookup(lookup, allowPrivate),
    autoSelectFamily: true,
  });
  return (options, callback) => {
    const { hostname } = options;
    if (isIP(hostname) && !isAddressAllowed(hostname, allowPrivate))
      return callback(new AddressNotAllowed(hostname, [hostname]), null);
    connect(options, callback);
  };
}
