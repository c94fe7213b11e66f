import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { detailOf, errorSpec, type GrpcStatus, type Refusal } from '@sallyport/contracts';

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const numbers: Readonly<Record<GrpcStatus, number>> = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};

/** A refusal as a caller of gRPC reads it: these fields behind the body, or in the place of an answer. */
export function grpcStatusFields(refusal: Refusal): string[] {
  const status = numbers[errorSpec(refusal.code).grpc];
  const message = detailOf(refusal);
  return [
    'grpc-status',
    String(status),
    'grpc-message',
    escaped(message),
    'grpc-status-details-bin',
    details(status, message, refusal).toString('base64').replace(/=+$/, ''),
  ];
}

/** Percent-encoded but for what may stand as it is (PROTOCOL-HTTP2.md, Status-Message). */
function escaped(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    out += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** `google.rpc.Status` with `ErrorInfo`, and `RetryInfo` where it is known when the same call can pass. */
function details(status: number, message: string, { code, retryAfterMs }: Refusal): Buffer {
  const info = new BinaryWriter().uint32(10).string(code).uint32(18).string('sallyport').finish();
  const writer = new BinaryWriter().uint32(8).int32(status).uint32(18).string(message);
  writer.uint32(26).bytes(any('google.rpc.ErrorInfo', info));
  if (retryAfterMs !== undefined) {
    const seconds = Math.floor(retryAfterMs / 1000);
    const nanos = Math.round((retryAfterMs - seconds * 1000) * 1_000_000);
    const delay = new BinaryWriter().uint32(8).int64(seconds).uint32(16).int32(nanos).finish();
    writer.uint32(26).bytes(any('google.rpc.RetryInfo', new BinaryWriter().uint32(10).bytes(delay).finish()));
  }
  return Buffer.from(writer.finish());
}

function any(type: string, value: Uint8Array): Uint8Array {
  return new BinaryWriter().uint32(10).string(`type.googleapis.com/${type}`).uint32(18).bytes(value).finish();
}
