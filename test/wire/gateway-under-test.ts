import type { SnapshotRoute, SnapshotUpstream } from '@sallyport/contracts';
import { AddressList, listenerLimits } from '@sallyport/proxy';
import { someRoute } from '@sallyport/testkit';
import type { z } from 'zod';
import { IngressUnderTest, someUpstream } from '../../apps/ingress/src/ingress-under-test';

/** A door of the gateway under test, by name. */
export interface Door {
  readonly limits?: z.input<typeof listenerLimits>;
  readonly trustedProxies?: readonly string[];
  readonly proxyProtocol?: boolean;
}

export interface GatewayUnderTest {
  /** Port of each door. */
  readonly ports: Readonly<Record<string, number>>;
  /** Puts routes in force that all lead to one upstream. */
  publish(routes: readonly SnapshotRoute[], upstream: string, more?: Partial<SnapshotUpstream>): Promise<void>;
  close(): Promise<void>;
}

/** A route that anyone may call, below one path. */
export function openRoute(pathPrefix: string, more: Partial<SnapshotRoute> = {}): SnapshotRoute {
  const name = pathPrefix === '/' ? 'all' : pathPrefix.slice(1).replaceAll('/', '-');
  return someRoute({
    id: `wire/v1/${name}`,
    match: { host: null, pathPrefix, methods: [] },
    auth: { anonymous: true, kinds: ['api-key', 'jwt'], trust: [], scopes: [] },
    ...more,
  });
}

/** Starts the real ingress in this process, with its engines beside it and as many doors as there are names. */
export async function startGateway(doors: Readonly<Record<string, Door>>): Promise<GatewayUnderTest> {
  const ingress = await IngressUnderTest.start({
    doors: Object.fromEntries(Object.entries(doors).map(([name, door]) => [name, doorSettings(door)])),
    config: { drainSeconds: 0 },
  });
  const timeouts = { connectMs: 1_000, firstByteMs: 2_000, idleMs: 2_000 };
  return {
    ports: ingress.ports,
    publish: (routes, url, more) => ingress.publish(routes, someUpstream(url, { timeouts, ...more })),
    close: () => ingress.close(),
  };
}

function doorSettings({ limits = {}, trustedProxies, proxyProtocol = false }: Door) {
  return {
    trustedProxies: trustedProxies && new AddressList(trustedProxies),
    proxyProtocol,
    limits: listenerLimits.parse(limits),
  };
}
