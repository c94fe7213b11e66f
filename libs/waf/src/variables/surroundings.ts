import type { Bytes } from '../bytes';
import { Entries } from './entries';
import type { Facts } from './facts';
import { collection, scalar, type Variable } from './variable';

const connection = (name: string, value: (facts: Facts) => Bytes): Variable =>
  scalar(name, 'request', (facts) => Entries.single(value(facts)));

const port = (value: number | undefined): Bytes => (value === undefined ? '' : String(value));

function serverName({ request }: Facts): Bytes {
  if (request.serverName !== undefined) return request.serverName;
  const host = request.fields.find(({ name }) => name.toLowerCase() === 'host')?.value ?? '';
  const colon = host.indexOf(':', host.lastIndexOf(']') + 1);
  return colon < 0 ? host : host.slice(0, colon);
}

const pad = (number: number) => String(number).padStart(2, '0');

/** Times are told in UTC: where a process happens to run must not change a verdict. */
const clock = (name: string, value: (date: Date, facts: Facts) => string | number): Variable =>
  scalar(name, 'moment', (facts) => Entries.single(String(value(new Date(facts.now()), facts))));

/** The connection, the clock, and the rule that is being evaluated. */
export const surroundingVariables: readonly Variable[] = [
  connection('UNIQUE_ID', ({ uniqueId }) => uniqueId),
  connection('REMOTE_ADDR', ({ request }) => request.clientAddress),
  connection('REMOTE_HOST', ({ request }) => request.clientAddress),
  connection('REMOTE_PORT', ({ request }) => port(request.clientPort)),
  connection('REMOTE_USER', () => ''),
  connection('AUTH_TYPE', authType),
  connection('SERVER_ADDR', ({ request }) => request.serverAddress ?? ''),
  connection('SERVER_NAME', serverName),
  connection('SERVER_PORT', ({ request }) => port(request.serverPort)),
  connection('SESSIONID', () => ''),
  connection('USERID', () => ''),
  connection('WEBAPPID', () => 'default'),
  connection('MODSEC_BUILD', () => '030000900'),
  clock('TIME', (date) => `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`),
  clock('TIME_DAY', (date) => date.getUTCDate()),
  clock('TIME_EPOCH', (date) => Math.floor(date.getTime() / 1000)),
  clock('TIME_HOUR', (date) => date.getUTCHours()),
  clock('TIME_MIN', (date) => date.getUTCMinutes()),
  clock('TIME_MON', (date) => date.getUTCMonth()),
  clock('TIME_SEC', (date) => date.getUTCSeconds()),
  clock('TIME_WDAY', (date) => date.getUTCDay()),
  clock('TIME_YEAR', (date) => date.getUTCFullYear()),
  clock('DURATION', (date, { began }) => Math.max(0, Math.round((date.getTime() - began) * 1000))),
  scalar('HIGHEST_SEVERITY', 'moment', ({ highestSeverity }) => Entries.single(String(highestSeverity))),
  collection('RULE', 'moment', ({ rule }) => new Entries([...rule.keys()], [...rule.values()])),
  // The environment of the process is nobody's business; geography is not looked up.
  collection('ENV', 'moment', () => Entries.none),
  collection('GEO', 'moment', () => Entries.none),
];

function authType({ request }: Facts): Bytes {
  const value = request.fields.find(({ name }) => name.toLowerCase() === 'authorization')?.value ?? '';
  return value.split(' ', 1)[0]!;
}
