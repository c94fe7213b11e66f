export * from './address';
export * from './admin-token';
export * from './admin/admin-app';
export * from './asking';
export * from './breaker';
export { shareSmallSlabs } from './buffer-pool';
export * from './bus';
export * from './clock-watch';
export * from './config';
export { DataDirInUse } from './database/data-lock';
export * from './database/database';
export * from './database/embedded-postgres';
export { EmbeddedPostgresUnavailable } from './database/postgres-binaries';
export * from './deadline-wheel';
export * from './embedded-bus';
export * from './fallback-window';
export * from './health';
export * from './key-directory-watch';
export { Unreachable } from './keep-trying';
export { AlreadyReported, exitCodes, runMain, type EndReason, type Life, type Running } from './lifecycle';
export * from './logger';
export * from './loop-delay';
export * from './merged-metrics';
export * from './metrics';
export * from './nats-bus';
export * from './outbox';
export * from './rpc/decide';
export type { DecideCall } from './rpc/decide-server';
export * from './rpc/message-connection';
export * from './rpc/rpc-server';
export * from './runtime';
export {
  encodeSnapshot,
  SnapshotDecoder,
  requireSize,
  SnapshotRejected,
  SnapshotWriter,
  type EncodedSnapshot,
} from './snapshot/document';
export { publishDocument, publishSnapshot, SnapshotSuperseded } from './snapshot/publish';
export * from './slices';
export * from './snapshot/reader';
export * from './thread-bus';
export * from './tracing';
export * from './valkey';
export { yieldThread } from './yielding';
export { Actor, type AdminActor } from './admin/actor';
export { ListenError } from './listening';
export { createZodDto } from 'nestjs-zod/dto';
export { readAs } from './admin/validation';
export { Opened, opening } from './opened';
export { databaseOf, openService, runService } from './service';
