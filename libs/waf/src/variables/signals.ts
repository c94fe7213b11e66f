import { Entries } from './entries';
import { collection, scalar, type Variable } from './variable';

const noValue = (name: string) => scalar(name, 'request', () => Entries.none);
const noMembers = (name: string) => collection(name, 'body', () => Entries.none);

/** Names that later inspectors fill: rules may use them today, find nothing, and are told so when they are loaded. */
export const signalVariables: readonly Variable[] = [
  ...['BOT_SCORE', 'BOT_CLASS', 'CLIENT_JA4', 'TLS_VERSION', 'HEADER_ORDER'].map(noValue),
  ...['BOT_SIGNALS', 'FILES_MAGIC', 'FILES_SHA256', 'FILES_ENTRIES', 'FILES_SCAN'].map(noMembers),
];

const unfilled: ReadonlySet<string> = new Set(signalVariables.map(({ name }) => name));

/** @param name in upper case */
export function isUnfilled(name: string): boolean {
  return unfilled.has(name);
}
