import { CredentialKind, RouteClass as WireClass } from '../gen/sallyport/auth/v1/verification';
import type { Principal } from '../principal';
import { isRefusal, type Refusal } from '../refusal';
import type { RouteClass } from '../snapshot';
import { readRefusal, writePrincipal, writeRefusal, type PrincipalReader } from './common-wire';
import type { WireReader } from './wire-reader';
import type { WireWriter } from './wire-writer';

/** Messages of `sallyport.auth.v1.VerificationService/Decide`, as `verification.proto` numbers their fields. */

/** What is asked about a credential, whose value and digest travel beside it. */
export interface VerifyQuestion {
  readonly kind: 'bearer' | 'api-key';
  readonly method: string;
  readonly url: string;
  readonly resource: string;
  readonly trust: readonly string[];
  readonly tenant: string;
  readonly class: RouteClass;
  readonly service: string;
  readonly clientAddress: string;
}

const kinds: Readonly<Record<VerifyQuestion['kind'], CredentialKind>> = {
  bearer: CredentialKind.CREDENTIAL_KIND_BEARER,
  'api-key': CredentialKind.CREDENTIAL_KIND_API_KEY,
};
const classes: Readonly<Record<RouteClass, WireClass>> = {
  public: WireClass.ROUTE_CLASS_PUBLIC,
  regulated: WireClass.ROUTE_CLASS_REGULATED,
  internal: WireClass.ROUTE_CLASS_INTERNAL,
};
const kindNames: readonly (VerifyQuestion['kind'] | undefined)[] = [undefined, 'bearer', 'api-key'];
const classNames: readonly (RouteClass | undefined)[] = [undefined, 'public', 'regulated', 'internal'];

/**
 * @param digest SHA-256 of the credential, one character a byte.
 * @param value the credential; empty when the peer has seen it on this stream.
 */
export function writeVerify(
  writer: WireWriter,
  id: number,
  { kind, method, url, resource, trust, tenant, class: routeClass, service, clientAddress }: VerifyQuestion,
  digest: string,
  value: string,
): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, id);
  const verify = writer.open(0x12);
  writer.uint(0x08, kinds[kind]);
  writer.latin1(0x12, digest);
  writer.text(0x1a, value);
  writer.text(0x22, method);
  writer.text(0x2a, url);
  writer.text(0x32, resource);
  for (const name of trust) writer.text(0x3a, name);
  writer.text(0x42, tenant);
  writer.uint(0x48, classes[routeClass]);
  writer.text(0x52, service);
  writer.text(0x5a, clientAddress);
  writer.close(verify);
  writer.close(ask);
}

/** A question as it is read, with everything that was told of the credential. */
export interface VerifyAsked extends Omit<VerifyQuestion, 'kind'> {
  readonly kind: VerifyQuestion['kind'] | undefined;
  readonly digest: Buffer;
  readonly value: string;
}

/**
 * Reads every question of a batch.
 * @param take a digest lies in the message: it holds while the message does.
 * @throws RangeError when the message does not add up.
 */
export function readVerifies(reader: WireReader, take: (id: number, asked: VerifyAsked) => void): void {
  while (reader.more) {
    const tag = reader.varint();
    if (tag !== 0x0a) {
      reader.skip(tag);
      continue;
    }
    const end = reader.nested();
    let id = 0;
    let asked: VerifyAsked | undefined;
    while (reader.at < end) {
      const inner = reader.varint();
      if (inner === 0x08) id = reader.varint();
      else if (inner === 0x12) asked = readVerify(reader);
      else reader.skip(inner);
    }
    if (asked) take(id, asked);
  }
}

const NO_BYTES: Buffer = Buffer.alloc(0);
const nothing: readonly string[] = [];

/** As many entries as a tenant's trust can have: names beyond are those of nothing, or said before, and are passed over. */
const MOST_TRUST_NAMES = 1_000;

function readVerify(reader: WireReader): VerifyAsked {
  const end = reader.nested();
  reader.prepare(end);
  let [kind, routeClass, digest, trust] = [0, 0, NO_BYTES, nothing as string[]];
  let [value, method, url, resource, tenant, service, clientAddress] = ['', '', '', '', '', '', ''];
  while (reader.at < end) {
    const tag = reader.varint();
    switch (tag) {
      case 0x08:
        kind = reader.varint();
        break;
      case 0x12:
        digest = reader.view();
        break;
      case 0x1a:
        value = reader.text();
        break;
      case 0x22:
        method = reader.text();
        break;
      case 0x2a:
        url = reader.text();
        break;
      case 0x32:
        resource = reader.text();
        break;
      case 0x3a:
        if (trust === nothing) trust = [];
        if (trust.length < MOST_TRUST_NAMES) trust.push(reader.text());
        else reader.skip(tag);
        break;
      case 0x42:
        tenant = reader.text();
        break;
      case 0x48:
        routeClass = reader.varint();
        break;
      case 0x52:
        service = reader.text();
        break;
      case 0x5a:
        clientAddress = reader.text();
        break;
      default:
        reader.skip(tag);
    }
  }
  // A class this version does not know is judged by the strictest.
  const judgedAs = classNames[routeClass] ?? 'regulated';
  const named = { method, url, resource, trust, tenant, class: judgedAs, service, clientAddress };
  return { kind: kindNames[kind], digest, value, ...named };
}

/** `unknown`: ask again with the credential itself. */
export type VerifyAnswer = Principal | Refusal | 'unknown';

export function writeVerified(writer: WireWriter, id: number, outcome: VerifyAnswer): void {
  const answer = writer.open(0x0a);
  writer.present(0x08, id);
  const reply = writer.open(0x12);
  if (outcome === 'unknown') writer.present(0x18, 1);
  else if (isRefusal(outcome)) {
    writeRefusal(writer, 0x12, outcome);
    writer.text(0x22, outcome.reason ?? '');
  } else writePrincipal(writer, 0x0a, outcome);
  writer.close(reply);
  writer.close(answer);
}

/** Reads one answer whose id is known. @param end where it ends. @returns undefined when it says nothing. */
export function readVerified(reader: WireReader, end: number, principals: PrincipalReader): VerifyAnswer | undefined {
  let outcome: VerifyAnswer | undefined;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x12) outcome = readReply(reader, principals);
    else reader.skip(tag);
  }
  return outcome;
}

function readReply(reader: WireReader, principals: PrincipalReader): VerifyAnswer | undefined {
  const end = reader.nested();
  let outcome: VerifyAnswer | undefined;
  let refused: ReturnType<typeof readRefusal> | undefined;
  let reason = '';
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x0a) outcome = principals.read(reader);
    else if (tag === 0x12) refused = readRefusal(reader);
    else if (tag === 0x18) outcome = reader.varint() === 0 ? undefined : 'unknown';
    else if (tag === 0x22) reason = reader.text();
    else reader.skip(tag);
  }
  // Whatever else an answer of another make may hold: one that refuses refuses.
  return refused ? refused(reason) : outcome;
}
