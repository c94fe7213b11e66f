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
}

/** How long an upstream may keep us waiting, in milliseconds. */
export interface UpstreamTimeouts {
  /** Until the TCP and TLS connection stands. */
  readonly connectMs: number;
  /** From the last byte of the request to the head of the answer. */
  readonly firstByteMs: number;
  /** Between two bytes of the answer. */
  readonly idleMs: number;
}

/**
 * The defaults that keep one client from becoming everybody's problem. They are data: listeners and routes may set
 * others, and the documentation is made from this table.
 */
export const limits = {
  head: { blockBytes: 16 * KIB, fields: 100, fieldBytes: 8 * KIB, targetBytes: 8 * KIB } satisfies HeadLimits,
  body: {
    defaultBytes: 1 * MIB,
    modelBytes: 10 * MIB,
    /** No route may ask for more. */
    ceilingBytes: 1024 * MIB,
    /** Read after a refusal before the connection is cut: enough for a client to notice, too little to occupy us. */
    pastRefusalBytes: 64 * KIB,
  },
  listener: {
    /** Until the head is complete. */
    headersMs: 10_000,
    /** Until the request is complete. */
    requestMs: 30_000,
    /** How often Node looks for sockets over the two limits above; its own default of 30 s lets slowloris stay. */
    checkMs: 1_000,
    /** Above the 60 s of common balancers, so that they and not we close an idle connection. */
    keepAliveMs: 65_000,
    /** Then `Connection: close`: rebalances, and bounds what a leak can gather. */
    requestsPerSocket: 1_000,
    sockets: 10_000,
  },
  upstream: {
    timeouts: { connectMs: 2_000, firstByteMs: 15_000, idleMs: 30_000 } satisfies UpstreamTimeouts,
    headBytes: 32 * KIB,
    connections: 1_024,
    /** Below the 5 s after which Node servers close an idle connection: we must not send into a closing one. */
    keepAliveMs: 4_000,
  },
} as const;
