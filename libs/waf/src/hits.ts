import type { Bytes } from './bytes';
import type { Hit, Severity } from './inspector';
import { severities, type Rule } from './rule-set';

/** What a rule that matched leaves behind. */
export interface Match {
  readonly rule: Rule;
  readonly message: Bytes;
  readonly logData: Bytes;
  readonly tags: readonly Bytes[];
  readonly severity: number | undefined;
  /** `ARGS:q` */
  readonly variable: Bytes;
  /** Values that matched. */
  readonly count: number;
  readonly late: boolean;
}

const MAX_DATA = 100;

/** A match as it is answered and recorded. */
export function hitOf({ rule, message, logData, tags, severity, variable, count, late }: Match): Hit {
  return {
    rule: rule.id,
    phase: rule.phase,
    severity: severityName(severity),
    paranoia: rule.paranoia,
    message: printable(message),
    tags: tags.map((tag) => printable(tag)),
    variable: printable(variable).slice(0, MAX_DATA),
    data: redacted(logData, variable),
    count,
    late,
  };
}

function severityName(severity: number | undefined): Severity {
  return severities[severity ?? 5]!.toLowerCase() as Severity;
}

/** Bytes that are not printable ASCII are written as `\xHH`, and so are those that would end a quoted text. */
export function printable(text: Bytes): string {
  let escaped = '';
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x20 && code <= 0x7e && code !== 0x22 && code !== 0x5c) continue;
    escaped += `${text.slice(from, at)}\\x${code.toString(16).padStart(2, '0')}`;
    from = at + 1;
  }
  return escaped + text.slice(from);
}

const CREDENTIALS = [
  'authorization',
  'cookie',
  'passw',
  'pwd',
  'secret',
  'token',
  'api-key',
  'apikey',
  'api_key',
  'session',
];

/** What may be somebody's credential is not shown, only how long it was. */
function redacted(data: Bytes, variable: Bytes): string {
  const name = variable.toLowerCase();
  if (data !== '' && CREDENTIALS.some((word) => name.includes(word))) return `(${data.length} bytes masked)`;
  return printable(data.slice(0, MAX_DATA)).slice(0, MAX_DATA);
}

/**
 * A match as go-ftw reads it from the error log of a web server.
 * @param uri path of the request without its query
 */
export function logLineOf(match: Match, uri: Bytes, uniqueId: Bytes): string {
  const { rule, message, logData, tags, severity } = match;
  const fields: [string, string | undefined][] = [
    ['id', String(rule.id)],
    ['msg', message],
    ['data', logData],
    ['severity', severity === undefined ? undefined : severities[severity]],
    ['ver', rule.version],
    ...tags.map((tag): [string, string] => ['tag', tag]),
    ['uri', uri],
    ['unique_id', uniqueId],
  ];
  return fields
    .map(([name, text]) => (text === undefined || text === '' ? '' : `[${name} "${printable(text)}"]`))
    .filter(Boolean)
    .join(' ');
}
