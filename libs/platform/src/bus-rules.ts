import { messageHeaders, streams, subjects, type StreamName } from '@sallyport/contracts';
import { MAX_MESSAGE_BYTES, TooLargeForBus, type BusMessage, type ConsumeOptions, type PublishOptions } from './bus';

/** What both adapters hold every message, key and consumer to, so that one cannot be laxer than the other. */

/** Subjects of which a bus remembers where they go: they are few, and the bound keeps a bug from filling the memory. */
export const MAX_KNOWN_SUBJECTS = 10_000;
const MAX_TOKENS = 16;
const PLAIN_SUBJECT = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;
const SUBJECT_PATTERN = /^([A-Za-z0-9_-]+|\*)(\.([A-Za-z0-9_-]+|\*))*(\.>)?$|^>$/;
const KEY = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;
const NAME = /^[A-Za-z0-9_-]{1,128}$/;

export function requireSubject(subject: string): void {
  if (!PLAIN_SUBJECT.test(subject)) throw new TypeError(`${JSON.stringify(subject)} is not a subject`);
  if (subject.split('.').length > MAX_TOKENS) throw new TypeError(`${subject} has more than ${MAX_TOKENS} tokens`);
}

export function requirePattern(pattern: string): void {
  if (!SUBJECT_PATTERN.test(pattern)) throw new TypeError(`${JSON.stringify(pattern)} is not a subject or a pattern`);
}

export function requireKey(key: string): void {
  if (!KEY.test(key))
    throw new TypeError(`${JSON.stringify(key)} is not a key: tokens of A–Z, a–z, 0–9, _ and -, joined by dots`);
}

/** Names of buckets and durables. */
export function requireName(name: string): void {
  if (!NAME.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a name of a bucket or a durable`);
}

/** `*` stands for one token, a final `>` for one or more. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return tokens.length > index;
    if (index >= tokens.length || (token !== '*' && token !== tokens[index])) return false;
  }
  return wanted.length === tokens.length;
}

/** The stream that keeps a subject, if one does. */
export function streamOf(subject: string): StreamName | undefined {
  for (const name of Object.keys(streams) as StreamName[]) {
    if (streams[name].subjects.some((pattern) => subjectMatches(pattern, subject))) return name;
  }
  return undefined;
}

/** Bytes a message takes of the limit: data and, as NATS counts them, the header block with the id in it. */
export function messageBytes(data: Uint8Array, { id, headers = {} }: PublishOptions): number {
  const fields = Object.entries(id === undefined ? headers : { ...headers, 'Nats-Msg-Id': id });
  if (fields.length === 0) return data.length;
  const block = fields.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + 4, 14);
  return data.length + block;
}

/** @throws TooLargeForBus */
export function requireFits(subject: string, data: Uint8Array, options: PublishOptions = {}): void {
  const bytes = messageBytes(data, options);
  if (bytes > MAX_MESSAGE_BYTES) throw new TooLargeForBus(subject, bytes);
}

export function consumerLimits(options: ConsumeOptions = {}): Required<ConsumeOptions> {
  const { ackWaitMs = 30_000, maxUnacknowledged = 64, maxDeliveries = Infinity } = options;
  return { ackWaitMs, maxUnacknowledged, maxDeliveries };
}

const LONGEST_REASON = 1024;

/** The letter that stands for a dead message: the message itself, with why and where from in its headers. */
export function deadLetter(message: BusMessage, durable: string, reason: string, id: string) {
  const subject = subjects.messageDied(durable);
  const about = {
    // A header field ends at a line break, and a reason may quote foreign text.
    [messageHeaders.reason]: reason.replace(/[^\x20-\x7e]/g, ' ').slice(0, LONGEST_REASON),
    [messageHeaders.subject]: message.subject,
    [messageHeaders.deliveries]: String(message.deliveries),
  };
  const whole = { id, headers: { ...message.headers, ...about } };
  if (messageBytes(message.data, whole) <= MAX_MESSAGE_BYTES) return { subject, data: message.data, options: whole };
  // The reason must not be what makes a letter too large to keep: the message's end gives way.
  const cut = { id, headers: about };
  return {
    subject,
    data: message.data.subarray(0, MAX_MESSAGE_BYTES - messageBytes(new Uint8Array(), cut)),
    options: cut,
  };
}
