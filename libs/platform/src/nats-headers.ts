import { headers, type MsgHdrs } from 'nats';

/** Fields as a block of the client; none where there are no fields. */
export function toHeaders(fields: Readonly<Record<string, string>> | undefined): MsgHdrs | undefined {
  if (!fields || Object.keys(fields).length === 0) return undefined;
  const block = headers();
  for (const [name, value] of Object.entries(fields)) block.set(name, value);
  return block;
}

/** The fields of a block, each with its first value. */
export function fromHeaders(block: MsgHdrs | undefined): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const name of block?.keys() ?? []) fields[name] = block!.get(name);
  return fields;
}

/** Fields that the server reads are no part of the message. */
export function withoutOwn(fields: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !name.startsWith('Nats-')));
}
