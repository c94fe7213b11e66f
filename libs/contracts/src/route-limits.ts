import { z } from 'zod';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** A whole number from `min` to the hard ceiling that no configuration can lift. */
const upTo = (ceiling: number, min = 1) => z.int().min(min).max(ceiling).optional();

/**
 * What one route lets a request and its answer cost. A member that is left out has the default of the data plane
 * (`libs/proxy/src/limits.ts`); the maximum of each is a ceiling that no configuration can lift.
 */
export const routeLimits = z.strictObject({
  /** Body of a request as it is sent, in bytes. A `body-limit` policy of the route can only lower it. */
  bodyBytes: upTo(GIB, 0),
  /** Body of a request after unpacking, in bytes, where it is unpacked to be looked at. */
  decompressedBytes: upTo(GIB),
  /** How many bytes one packed byte may stand for. */
  decompressedRatio: upTo(1_000),
  /** How many codings may lie on each other; 0 takes no packed body. */
  decompressedLayers: upTo(2, 0),
  /** Containers within containers. */
  jsonDepth: upTo(512),
  /** Members of all objects of a document together. */
  jsonKeys: upTo(1_000_000),
  /** Bytes of one string as written. */
  jsonStringBytes: upTo(GIB),
  multipartParts: upTo(10_000),
  /** Bytes of the head of one part. */
  multipartHeaderBytes: upTo(64 * KIB),
  /** Bytes of the name of one file as written. */
  multipartFileNameBytes: upTo(4 * KIB),
  /** Time in which a request must have come whole, in seconds; bodies are also held to `uploadBytesPerSecond`. */
  requestSeconds: upTo(3_600),
  /** Slowest rate at which a body may come once it had some seconds to begin; 0: however slow. */
  uploadBytesPerSecond: upTo(MIB, 0),
  /** Bytes of an answer that wait for a slow reader before the upstream is paused. */
  streamBufferBytes: upTo(16 * MIB, 16 * KIB),
  /** Slowest rate at which an answer may be read, over a minute; 0: however slow. */
  readerBytesPerSecond: upTo(MIB, 0),
  /** Longest time an answer may take from its head to its end, in seconds. */
  streamSeconds: upTo(86_400),
  /** Silence after which a stream of events gets a comment that keeps it open, in seconds; 0: none. */
  heartbeatSeconds: upTo(3_600, 0),
  /** Bytes of one event of a stream. */
  eventBytes: upTo(16 * MIB, 1 * KIB),
  /** Bytes of one WebSocket message. */
  webSocketMessageBytes: upTo(64 * MIB),
  /** Silence after which a WebSocket is closed, in seconds. */
  webSocketIdleSeconds: upTo(86_400),
  /** Read several slashes in a row as one instead of refusing them. */
  mergeSlashes: z.boolean().optional(),
  /** `keep` takes an escaped slash as a part of its segment, here and at the upstream; `refuse` is the default. */
  encodedSlash: z.enum(['refuse', 'keep']).optional(),
});
export type RouteLimits = z.infer<typeof routeLimits>;
