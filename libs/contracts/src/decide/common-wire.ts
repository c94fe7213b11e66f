import { Principal as WirePrincipal, Refusal as WireRefusal } from '../gen/sallyport/common/v1/common';
import type { Principal } from '../principal';
import type { Refusal } from '../refusal';
import { principalFromWire, principalToWire, refusalFromWire, refusalToWire } from '../wire';
import type { WireReader } from './wire-reader';
import type { WireWriter } from './wire-writer';

const encoded = new WeakMap<Principal, Uint8Array>();

/** A verifier hands out one frozen principal for many requests: it is encoded once. */
export function writePrincipal(writer: WireWriter, tag: number, principal: Principal): void {
  let bytes = encoded.get(principal);
  if (!bytes) {
    bytes = WirePrincipal.encode(principalToWire(principal)).finish();
    if (Object.isFrozen(principal)) encoded.set(principal, bytes);
  }
  writer.message(tag, bytes);
}

/** As many as one process is expected to serve within half a minute; beyond it they are read anew. */
const REMEMBERED = 10_000;

/** Principals as they were last read: the same bytes are the same frozen object. */
export class PrincipalReader {
  private known = new Map<string, Principal>();

  /** Reads the message that the reader stands before. */
  read(reader: WireReader): Principal {
    const start = reader.at;
    const key = reader.latin1();
    const known = this.known.get(key);
    if (known) return known;
    reader.at = start;
    const principal = principalFromWire(WirePrincipal.decode(reader.view()));
    if (this.known.size >= REMEMBERED) this.known.clear();
    this.known.set(key, principal);
    return principal;
  }
}

/** Refusals are rare and small; the generated code writes them. The reason travels beside them. */
export function writeRefusal(writer: WireWriter, tag: number, refusal: Refusal): void {
  writer.message(tag, WireRefusal.encode(refusalToWire(refusal)).finish());
}

/** Reads the message that the reader stands before; its reason is known only when the message around it was read. */
export function readRefusal(reader: WireReader): (reason: string) => Refusal {
  const wire = WireRefusal.decode(reader.view());
  return (reason) => refusalFromWire(wire, reason);
}
