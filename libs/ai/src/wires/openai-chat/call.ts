import { fieldValue, type Forwarding, type UpstreamOrigin, type UpstreamPools } from '@sallyport/proxy';
import type { CallOrder, OpenCall } from '../../execute/wire-call';

/** The pool of connections that an address belongs to. */
export function originOf(url: string, allowPrivate: boolean, connectMs: number): UpstreamOrigin {
  return { url: new URL(url).origin, allowPrivate, connectMs };
}

/** Calls a provider of this wire over HTTP. Fields of the caller never travel: the wire sends its own, and no others. */
export function openOpenAiChat(pools: UpstreamPools): OpenCall {
  return (order, sink): Forwarding => {
    const { url, allowPrivate, timeouts } = order.attempt;
    const { connectMs = 0, headMs = 0, idleMs = 0 } = timeouts ?? {};
    const client = pools.client(originOf(url, allowPrivate, connectMs));
    const { pathname, search } = new URL(url);
    return client.forward(
      {
        method: 'POST',
        path: pathname + search,
        // RFC 9112 §3.2: who is asked belongs into every request; a provider of many hosts cannot do without it.
        fields: ['host', client.authority, ...fieldsOf(order)],
        body: order.body,
        timeouts: { connectMs, firstByteMs: headMs, idleMs },
      },
      {
        onHead: (status, fields) => sink.head(status, (name) => fieldValue(fields, name)),
        onData: (chunk) => sink.data(chunk),
        onEnd: () => sink.end(),
        onFailure: (refusal) => sink.fail(refusal),
      },
    );
  };
}

function fieldsOf({ lease, stream, fields }: CallOrder): string[] {
  const sent = [
    'content-type',
    'application/json',
    'accept',
    stream ? 'text/event-stream' : 'application/json',
    // What is passed on byte for byte, and tapped on the way, must not be compressed.
    'accept-encoding',
    'identity',
    'user-agent',
    'sallyport',
  ];
  if (lease?.kind === 'bearer') sent.push('authorization', `Bearer ${lease.secret}`);
  for (const [name, value] of Object.entries(fields)) sent.push(name, value);
  return sent;
}
