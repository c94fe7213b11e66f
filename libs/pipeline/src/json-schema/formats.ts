import { isIPv4, isIPv6 } from 'node:net';

// None of these expressions can be made to run back over what it has read: no repetition within a repetition matches the same text.
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.\d{1,12})?(?:z|[+-](\d\d):(\d\d))$/i;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}$/i;
const URI = /^[a-z][a-z0-9+.-]*:[a-z0-9._~:/?#[\]@!$&'()*+,;=%-]*$/i;
const URI_REFERENCE = /^[a-z0-9._~:/?#[\]@!$&'()*+,;=%-]*$/i;
const DURATION =
  /^P(?!$)(?:\d{1,9}W|(?:\d{1,9}Y)?(?:\d{1,9}M)?(?:\d{1,9}D)?(?:T(?=\d)(?:\d{1,9}H)?(?:\d{1,9}M)?(?:\d{1,9}S)?)?)$/;
const JSON_POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (!match) return false;
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number];
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** RFC 3339 §5.6; a leap second only where UTC can have one. */
function isTime(text: string): boolean {
  const match = TIME.exec(text);
  if (!match) return false;
  const [hour, minute, second, offsetHour = 0, offsetMinute = 0] = match.slice(1).map((part) => Number(part ?? 0));
  if (hour! > 23 || minute! > 59 || second! > 60 || offsetHour > 23 || offsetMinute > 59) return false;
  if (second! < 60) return true;
  const sign = text.includes('-') ? 1 : -1;
  const utc = hour! * 60 + minute! + sign * (offsetHour * 60 + offsetMinute);
  return (utc + 2 * 1440) % 1440 === 1439;
}

function isDateTime(text: string): boolean {
  return /^.{10}t/i.test(text) && isDate(text.slice(0, 10)) && isTime(text.slice(11));
}

function isHostname(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => LABEL.test(label));
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  const dotted = local.startsWith('.') || local.endsWith('.') || local.includes('..');
  return at > 0 && LOCAL_PART.test(local) && !dotted && isHostname(domain);
}

function hasWholeEscapes(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text);
}

/** The formats that are checked (JSON Schema Validation §7.3); others say something to people only. */
export const formats: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['date', isDate],
  ['time', isTime],
  ['date-time', isDateTime],
  ['duration', (text: string) => DURATION.test(text)],
  ['email', isEmail],
  ['hostname', isHostname],
  ['ipv4', isIPv4],
  ['ipv6', (text: string) => isIPv6(text) && !text.includes('%')],
  ['uuid', (text: string) => UUID.test(text)],
  ['uri', (text: string) => URI.test(text) && hasWholeEscapes(text)],
  ['uri-reference', (text: string) => URI_REFERENCE.test(text) && hasWholeEscapes(text)],
  ['json-pointer', (text: string) => JSON_POINTER.test(text)],
  ['byte', (text: string) => text.length % 4 === 0 && BASE64.test(text)],
]);

/** Formats of OpenAPI that bound a whole number: the least and the greatest one. */
export const numberFormats: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['int32', ['-2147483648', '2147483647']],
  ['int64', ['-9223372036854775808', '9223372036854775807']],
]);
