import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { detailOf, errorSpec, retryAfterSeconds, type Refusal, type Violation } from '@sallyport/contracts';

/** The trailer that carries a `google.rpc.Status` (AIP-193). */
const DETAILS = 'grpc-status-details-bin';
const TYPES = 'type.googleapis.com/google.rpc.';

/** A refusal as gRPC says it: status, sentence, and `ErrorInfo`, `RetryInfo` and `BadRequest` where they apply. */
export function statusOf(refusal: Refusal, violations: readonly Violation[] = []): StatusObject {
  const code = status[errorSpec(refusal.code).grpc];
  const details = detailOf(refusal);
  const metadata = new Metadata();
  metadata.set(DETAILS, Buffer.from(encodeStatus(code, details, refusal, violations)));
  return { code, details, metadata };
}

// The field numbers are those of google/rpc/status.proto and error_details.proto; four small messages do not need a generator.

function encodeStatus(code: number, message: string, refusal: Refusal, violations: readonly Violation[]): Uint8Array {
  const writer = new BinaryWriter().uint32(8).int32(code).uint32(18).string(message);
  const wait = retryAfterSeconds(refusal);
  writer.uint32(26).bytes(encodeAny('ErrorInfo', encodeErrorInfo(refusal)));
  if (wait !== undefined) writer.uint32(26).bytes(encodeAny('RetryInfo', encodeRetryInfo(wait)));
  if (violations.length > 0) writer.uint32(26).bytes(encodeAny('BadRequest', encodeBadRequest(violations)));
  return writer.finish();
}

function encodeAny(type: string, value: Uint8Array): Uint8Array {
  return new BinaryWriter()
    .uint32(10)
    .string(TYPES + type)
    .uint32(18)
    .bytes(value)
    .finish();
}

function encodeErrorInfo({ code, params }: Refusal): Uint8Array {
  const writer = new BinaryWriter().uint32(10).string(code).uint32(18).string('sallyport');
  for (const [name, value] of Object.entries(params)) {
    writer.uint32(26).bytes(new BinaryWriter().uint32(10).string(name).uint32(18).string(String(value)).finish());
  }
  return writer.finish();
}

function encodeRetryInfo(seconds: number): Uint8Array {
  return new BinaryWriter().uint32(10).bytes(new BinaryWriter().uint32(8).int64(seconds).finish()).finish();
}

function encodeBadRequest(violations: readonly Violation[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { pointer, detail } of violations) {
    writer.uint32(10).bytes(new BinaryWriter().uint32(10).string(pointer).uint32(18).string(detail).finish());
  }
  return writer.finish();
}
