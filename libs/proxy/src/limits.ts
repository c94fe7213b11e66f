import { z } from 'zod';
import type { RouteLimits } from '@sallyport/contracts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What the head of a request may weigh; sizes in bytes as they came over the wire. */
export interface HeadLimits {
  /** All fields together, with their separators and line ends. */
  readonly blockBytes: number;
  readonly fields: number;
  /** Name and value of one field. */
  readonly fieldBytes: number;
  /** The request target: path and query together, or the whole absolute form. */
  readonly targetBytes: number;
  /** What happens to a field whose name holds an underscore; left out: the request is refused. */
  readonly underscoreNames?: 'refuse' | 'drop' | undefined;
}

/** How long an upstream may keep us waiting, in milliseconds. */
export interface UpstreamTimeouts {
  /** Until there is a connection, over TLS where it is asked for: one that is made, or one that is free again. */
  readonly connectMs: number;
  /** From the last byte of the request to the head of the answer. */
  readonly firstByteMs: number;
  /** Between two bytes of the answer. */
  readonly idleMs: number;
  /** How long the upstream may leave bytes of a request unread; undefined: no bound of its own. */
  readonly sendMs?: number | undefined;
}

/** A whole number with its default; the maximum is the ceiling that no configuration can lift. */
const count = (standard: number, ceiling: number, min = 1) => z.int().min(min).max(ceiling).default(standard);

/** What one listener bears. */
export const listenerLimits = z.strictObject({
  head: z
    .strictObject({
      blockBytes: count(16 * KIB, 64 * KIB, KIB),
      fields: count(100, 1_000),
      fieldBytes: count(8 * KIB, 32 * KIB, 64),
      targetBytes: count(8 * KIB, 32 * KIB, 64),
      /** Origins that speak CGI read `X_User` and `X-User` as one variable; `drop` is for clients that cannot help it. */
      underscoreNames: z.enum(['refuse', 'drop']).default('refuse'),
    })
    .prefault({}),
  /** Until the head is complete. */
  headersMs: count(10_000, 120_000, 100),
  /** Until the whole request is complete, where its route says nothing else. */
  requestMs: count(30_000, 3_600_000, 100),
  /** How often slow clients are looked for; Node's own default of 30 s lets slowloris stay. */
  checkMs: count(1_000, 10_000, 50),
  /** Above the 60 s of common balancers, so that they and not we close an idle connection. */
  keepAliveMs: count(65_000, 600_000, 100),
  /** Then `Connection: close`: rebalances, and bounds what a leak can gather. */
  requestsPerSocket: count(1_000, 1_000_000),
  sockets: count(10_000, 100_000),
  /** From one address, or one /64 of IPv6; trusted proxies are not counted. */
  socketsPerAddress: count(256, 100_000),
  /** Read of a body that nobody wants any more, before the connection is cut. */
  pastRefusalBytes: count(64 * KIB, MIB, 0),
  http2: z
    .strictObject({
      /** Streams of one connection at a time. */
      streams: count(100, 1_000),
      /** Streams reset within ten seconds, by either side. */
      resets: count(100, 10_000),
      headerListBytes: count(32 * KIB, 128 * KIB, KIB),
      /** PING frames within ten seconds; SETTINGS frames likewise. */
      pings: count(20, 1_000),
      settings: count(20, 1_000),
    })
    .prefault({}),
});
export type ListenerLimits = z.output<typeof listenerLimits>;

/** The limits of a listener that says nothing of them. */
export const defaultListenerLimits: ListenerLimits = Object.freeze(listenerLimits.parse({}));

/**
 * The defaults that keep one client from becoming everybody's problem. They are data: listeners and routes may set
 * others, and the documentation is made from this table.
 */
export const limits = {
  head: defaultListenerLimits.head satisfies HeadLimits,
  body: {
    defaultBytes: 1 * MIB,
    modelBytes: 10 * MIB,
    /** No route may ask for more. */
    ceilingBytes: 1024 * MIB,
    /** Read after a refusal before the connection is cut: enough for a client to notice, too little to occupy us. */
    pastRefusalBytes: defaultListenerLimits.pastRefusalBytes,
    /** How long we go on reading what nobody wants. */
    pastRefusalMs: 5_000,
    /** A chunk may say more than its size in this many bytes (RFC 9112 §7.1.1), which nobody reads. */
    chunkExtensionBytes: 256,
  },
  upload: {
    /** A body has this long to begin before its rate counts, and is then judged over windows of this length. */
    graceMs: 5_000,
  },
  reader: {
    /** The rate at which an answer is read is judged over windows of this length. */
    windowMs: 60_000,
  },
  listener: defaultListenerLimits,
  upstream: {
    timeouts: { connectMs: 2_000, firstByteMs: 15_000, idleMs: 30_000 } satisfies UpstreamTimeouts,
    headBytes: 32 * KIB,
    connections: 1_024,
    /** Below the 5 s after which Node servers close an idle connection: we must not send into a closing one. */
    keepAliveMs: 4_000,
  },
} as const;

/** Limits of a route with the defaults filled in. */
export type Bounds = { readonly [Name in keyof RouteLimits]-?: NonNullable<RouteLimits[Name]> };

/** What holds on a route that says nothing. */
export const defaultBounds: Bounds = Object.freeze({
  bodyBytes: limits.body.defaultBytes,
  decompressedBytes: 10 * MIB,
  decompressedRatio: 20,
  decompressedLayers: 1,
  jsonDepth: 64,
  jsonKeys: 10_000,
  jsonStringBytes: MIB,
  multipartParts: 128,
  multipartHeaderBytes: 8 * KIB,
  multipartFileNameBytes: 255,
  requestSeconds: defaultListenerLimits.requestMs / 1000,
  uploadBytesPerSecond: KIB,
  // A quarter of what one reader may cost us: two hundred slow ones must not be felt.
  streamBufferBytes: 256 * KIB,
  readerBytesPerSecond: KIB,
  streamSeconds: 900,
  heartbeatSeconds: 15,
  eventBytes: MIB,
  webSocketMessageBytes: MIB,
  webSocketIdleSeconds: 300,
  mergeSlashes: false,
  encodedSlash: 'refuse',
});

const compiled = new WeakMap<RouteLimits, Bounds>();

/** @returns the limits that hold on a route; the same object for every request of it. */
export function boundsOf(route: RouteLimits | undefined): Bounds {
  if (!route) return defaultBounds;
  let bounds = compiled.get(route);
  if (!bounds) {
    const set = Object.entries(route).filter(([, value]) => value !== undefined);
    compiled.set(route, (bounds = Object.freeze({ ...defaultBounds, ...Object.fromEntries(set) })));
  }
  return bounds;
}
