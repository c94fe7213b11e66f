import type { Charge, Standing } from '../gen/sallyport/limits/v1/limits';
import type { WireReader } from './wire-reader';
import type { WireWriter } from './wire-writer';

/** Messages of `sallyport.limits.v1.LimitService/Decide`, as `limits.proto` numbers their fields. */

/** Begins each batch: the asking process. */
export function writeNode(writer: WireWriter, node: string): void {
  writer.text(0x0a, node);
}

export function writeSpend(writer: WireWriter, id: number, tenant: string, charges: readonly Readonly<Charge>[]): void {
  const ask = writer.open(0x12);
  writer.present(0x08, id);
  const spend = writer.open(0x12);
  writer.text(0x0a, tenant);
  for (const { policy, key, limit, windowSeconds, burst, cost } of charges) {
    const charge = writer.open(0x12);
    writer.text(0x0a, policy);
    writer.text(0x12, key);
    writer.uint(0x18, limit);
    writer.uint(0x20, windowSeconds);
    writer.uint(0x28, burst);
    writer.uint(0x30, cost);
    writer.close(charge);
  }
  writer.close(spend);
  writer.close(ask);
}

/** What a batch of asks holds. */
export interface SpendTaker {
  node(name: string): void;
  /** @param charges undefined when the ask has none to spend: it cannot be answered. */
  spend(id: number, tenant: string, charges: Charge[] | undefined): void;
}

/** @throws RangeError when the message does not add up. */
export function readSpends(reader: WireReader, taker: SpendTaker): void {
  let node = '';
  const start = reader.at;
  // The name counts for every ask of its message, wherever it stands.
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) node = reader.text();
    else if (tag === 0x12 && node !== '') break;
    else reader.skip(tag);
  }
  taker.node(node);
  reader.at = start;
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x12) readSpend(reader, taker);
    else reader.skip(tag);
  }
}

function readSpend(reader: WireReader, taker: SpendTaker): void {
  const end = reader.nested();
  reader.prepare(end);
  let id = 0;
  let tenant = '';
  let charges: Charge[] | undefined;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x08) id = reader.varint();
    else if (tag !== 0x12) reader.skip(tag);
    else {
      const within = reader.nested();
      charges ??= [];
      while (reader.at < within) {
        const inner = reader.varint();
        if (inner === 0x0a) tenant = reader.text();
        else if (inner === 0x12) charges.push(readCharge(reader));
        else reader.skip(inner);
      }
    }
  }
  taker.spend(id, tenant, charges);
}

function readCharge(reader: WireReader): Charge {
  const end = reader.nested();
  const charge: Charge = { policy: '', key: '', limit: 0, windowSeconds: 0, burst: 0, cost: 0 };
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x0a) charge.policy = reader.text();
    else if (tag === 0x12) charge.key = reader.text();
    else if (tag === 0x18) charge.limit = reader.varint();
    else if (tag === 0x20) charge.windowSeconds = reader.varint();
    else if (tag === 0x28) charge.burst = reader.varint();
    else if (tag === 0x30) charge.cost = reader.varint();
    else reader.skip(tag);
  }
  return charge;
}

/** @param spending undefined where nothing could be counted; whoever asked then decides as if nobody had been here. */
export function writeSpending(
  writer: WireWriter,
  id: number,
  spending: { readonly allowed: boolean; readonly standings: readonly Readonly<Standing>[] } | undefined,
): void {
  const answer = writer.open(0x0a);
  writer.present(0x08, id);
  if (spending) {
    const reply = writer.open(0x12);
    writer.flag(0x08, spending.allowed);
    for (const { policy, limit, windowSeconds, remaining, resetMs, retryAfterMs } of spending.standings) {
      const standing = writer.open(0x12);
      writer.text(0x0a, policy);
      writer.uint(0x10, limit);
      writer.uint(0x18, windowSeconds);
      writer.uint(0x20, remaining);
      writer.uint(0x28, resetMs);
      writer.uint(0x30, retryAfterMs);
      writer.close(standing);
    }
    writer.close(reply);
  }
  writer.close(answer);
}

/** What a reply says beside its answers. @param shared whether all replicas count in one place. */
export function writeCensus(writer: WireWriter, liveNodes: number, shared: boolean): void {
  writer.uint(0x10, liveNodes);
  // Also when it is not so: that replaces what was said before.
  writer.present(0x18, shared ? 1 : 0);
}

/** Reads one answer whose id is known. @param end where it ends. @returns undefined when nothing could be counted. */
export function readSpending(
  reader: WireReader,
  end: number,
  charges: readonly Readonly<Charge>[],
): { allowed: boolean; standings: Standing[] } | undefined {
  let spending: { allowed: boolean; standings: Standing[] } | undefined;
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag !== 0x12) {
      reader.skip(tag);
      continue;
    }
    const within = reader.nested();
    spending ??= { allowed: false, standings: [] };
    while (reader.at < within) {
      const inner = reader.varint();
      if (inner === 0x08) spending.allowed = reader.varint() !== 0;
      else if (inner === 0x12) spending.standings.push(readStanding(reader, charges[spending.standings.length]));
      else reader.skip(inner);
    }
  }
  return spending;
}

/** Name, limit and window are those of the charge, which whoever asked still has. */
function readStanding(reader: WireReader, charge: Readonly<Charge> | undefined): Standing {
  const end = reader.nested();
  let [remaining, resetMs, retryAfterMs] = [0, 0, 0];
  while (reader.at < end) {
    const tag = reader.varint();
    if (tag === 0x20) remaining = reader.varint();
    else if (tag === 0x28) resetMs = reader.varint();
    else if (tag === 0x30) retryAfterMs = reader.varint();
    else reader.skip(tag);
  }
  const { policy = '', limit = 0, windowSeconds = 0 } = charge ?? {};
  return { policy, limit, windowSeconds, remaining, resetMs, retryAfterMs };
}
