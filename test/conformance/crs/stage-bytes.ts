import type { StageInput } from './test-file';

const FORM = 'application/x-www-form-urlencoded';

/** The bytes a stage sends, as go-ftw would make them. */
export function bytesOf(input: StageInput): Buffer {
  if (input.encodedRequest !== undefined) return Buffer.from(input.encodedRequest, 'base64');
  const headers = [...input.headers];
  const body = bodyOf(input, headers);
  if (input.autocompleteHeaders) complete(headers, input.method, body);
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`${input.method} ${input.uri} ${input.version}\r\n${lines}\r\n`), body]);
}

type Headers = (readonly [name: string, value: string])[];

function valueOf(headers: Headers, name: string): string | undefined {
  return headers.find(([other]) => other.toLowerCase() === name)?.[1];
}

function bodyOf(input: StageInput, headers: Headers): Buffer {
  let body = dataOf(input);
  if (body.length > 0 && input.autocompleteHeaders) {
    if (valueOf(headers, 'content-type') === undefined) headers.push(['Content-Type', FORM]);
    if (valueOf(headers, 'content-type')!.toLowerCase() === FORM) body = encodeForm(body);
  }
  const isForm = valueOf(headers, 'content-type')?.toLowerCase().includes('multipart/form-data;');
  return isForm ? replaceNewlines(body) : body;
}

function dataOf({ data, encodedData }: StageInput): Buffer {
  if (data !== undefined) return Buffer.from(expand(data));
  return encodedData === undefined ? Buffer.alloc(0) : Buffer.from(encodedData, 'base64');
}

/** Of what the templates of Go can say, tests use this; every other pair of braces is an attack. */
function expand(data: string): string {
  return data.replace(
    /\{\{-?\s*"((?:[^"\\]|\\.)*)"\s*\|\s*repeat\s+(\d+)\s*-?\}\}/g,
    (_, text: string, times: string) => (JSON.parse(`"${text}"`) as string).repeat(Number(times)),
  );
}

/** Encodes keys and values of a form, unless there is a sign that somebody has done so. */
function encodeForm(body: Buffer): Buffer {
  const text = body.toString('latin1');
  if (unescape(text) !== text) return body;
  const pairs = text.split('&').map((pair) => {
    const equals = pair.indexOf('=');
    return equals < 0 ? escape(pair) : `${escape(pair.slice(0, equals))}=${escape(pair.slice(equals + 1))}`;
  });
  // Go forgets an empty piece at the end.
  if (pairs.length > 1 && pairs.at(-1) === '') pairs.pop();
  return Buffer.from(pairs.join('&'), 'latin1');
}

/** `url.QueryUnescape` of Go; it gives nothing back for a broken escape. */
function unescape(text: string): string {
  if (/%(?![0-9a-f]{2})/i.test(text)) return '';
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** `url.QueryEscape` of Go. */
function escape(text: string): string {
  return text.replace(/[^A-Za-z0-9\-_.~]/g, (byte) =>
    byte === ' ' ? '+' : `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function replaceNewlines(body: Buffer): Buffer {
  return Buffer.from(body.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
}

/** Go's expression means `POST…`, `…PUT…`, `…PATCH…` and `…DELETE`; of the methods there are it means these. */
const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

function complete(headers: Headers, method: string, body: Buffer): void {
  if (valueOf(headers, 'connection') === undefined) headers.push(['Connection', 'close']);
  if (valueOf(headers, 'content-length') !== undefined) return;
  if (body.length > 0 || METHODS_WITH_BODY.has(method)) headers.push(['Content-Length', String(body.length)]);
}
