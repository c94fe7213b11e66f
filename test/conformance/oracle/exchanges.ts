import type { Exchange } from './oracle';
import type { Payloads } from './payloads';
import type { Choices } from './random';

type Field = readonly [name: string, value: string];

/** A request while it is being put together. */
interface Draft {
  method: string;
  path: string;
  query: string[];
  fields: Field[];
  cookies: string[];
  body: string;
}

const browser: readonly Field[] = [
  ['Host', 'shop.example'],
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['Accept-Language', 'en-US,en;q=0.5'],
];

const ordinaryNames = ['q', 'id', 'page', 'name', 'email', 'comment', 'file', 'sort', 'items[0]', 'user.name', 'url'];
const ordinaryValues = [
  ...['1', '42', 'alice', 'alice@example.org', 'red shoes', 'price desc', '2026-11-28T10:00:00Z', 'a,b;c', 'true'],
  ...['https://shop.example/a?b=c', 'Fish & Chips', "O'Neill", '50% off', '{"a":1}', '-1', 'on', '', 'x_y-z', '../up'],
];

/** Puts pieces of attacks, and ordinary values, where they have not been before: other target, encoding, content type. */
export function* exchanges(
  choices: Choices,
  { exchanges: known, pieces }: Payloads,
  count: number,
): Generator<Exchange> {
  for (let made = 0; made < count; made++) {
    if (choices.happens(0.15)) yield withResponse(choices, choices.of(known), pieces);
    else yield withResponse(choices, composed(choices, pieces), pieces);
  }
}

function composed(choices: Choices, pieces: readonly string[]): Exchange {
  const draft: Draft = {
    method: choices.happens(0.5) ? 'GET' : 'POST',
    path: choices.of(['/', '/search', '/api/v1/orders', '/index.php', '/a/b.html']),
    query: [],
    fields: [...browser],
    cookies: [],
    body: '',
  };
  const some = () => (choices.happens(0.55) ? choices.of(pieces) : choices.of(ordinaryValues));
  for (const place of choices.times(1 + choices.below(3), () => choices.of(places))) place(draft, choices, some);
  if (choices.happens(0.05)) draft.method = choices.of(['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']);
  return finished(draft, choices);
}

type Placing = (draft: Draft, choices: Choices, some: () => string) => void;

const places: readonly Placing[] = [
  inQuery,
  inQuery,
  inForm,
  inForm,
  inJson,
  inMultipart,
  inXml,
  inCookie,
  inHeader,
  inPath,
  inPlainBody,
];

function inQuery(draft: Draft, choices: Choices, some: () => string): void {
  draft.query.push(...pairs(choices, some));
}

function inForm(draft: Draft, choices: Choices, some: () => string): void {
  setBody(draft, 'application/x-www-form-urlencoded', pairs(choices, some).join('&'));
}

function pairs(choices: Choices, some: () => string): string[] {
  return choices.times(1 + choices.below(3), () => {
    const name = choices.happens(0.15) ? some() : choices.of(ordinaryNames);
    return `${encoded(choices, name)}=${encoded(choices, some())}`;
  });
}

function inJson(draft: Draft, choices: Choices, some: () => string): void {
  const name = () => (choices.happens(0.15) ? some() : choices.of(ordinaryNames));
  const leaf = (): unknown => (choices.happens(0.8) ? some() : choices.of([1, 2.5, true, null]));
  const value = { [name()]: leaf(), [name()]: [leaf(), { [name()]: leaf() }], list: choices.times(2, leaf) };
  setBody(draft, choices.of(['application/json', 'application/json; charset=utf-8']), utf8(JSON.stringify(value)));
}

function inMultipart(draft: Draft, choices: Choices, some: () => string): void {
  const boundary = choices.of(['----a1b2c3', 'boundary', '0123456789abcdef']);
  const quoted = (text: string) => text.replace(/["\r\n\0\\]/g, '');
  const parts = choices.times(1 + choices.below(3), () => {
    const isFile = choices.happens(0.3);
    const name = choices.happens(0.1) ? quoted(some()) : choices.of(ordinaryNames);
    const file = isFile ? `; filename="${quoted(some())}"\r\nContent-Type: text/plain` : '';
    return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${some()}\r\n`;
  });
  setBody(draft, `multipart/form-data; boundary=${boundary}`, `${parts.join('')}--${boundary}--\r\n`);
}

function inXml(draft: Draft, choices: Choices, some: () => string): void {
  const text = (value: string) =>
    value.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x80-\xff]/g, '').replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const type = choices.of(['text/xml', 'application/xml']);
  setBody(draft, type, `<?xml version="1.0"?><order id="${text(some())}"><item>${text(some())}</item></order>`);
}

function inPlainBody(draft: Draft, choices: Choices, some: () => string): void {
  setBody(draft, choices.of(['text/plain', 'application/octet-stream']), some());
}

function setBody(draft: Draft, type: string, body: string): void {
  draft.method = 'POST';
  draft.fields = [...draft.fields.filter(([name]) => name !== 'Content-Type'), ['Content-Type', type]];
  draft.body = body;
}

function inCookie(draft: Draft, choices: Choices, some: () => string): void {
  const value = (text: string) => text.replace(/[\0\r\n;]/g, '');
  draft.cookies.push(`${choices.of(['session', 'theme', 'id'])}=${value(some())}`);
}

function inHeader(draft: Draft, choices: Choices, some: () => string): void {
  const name = choices.of(['User-Agent', 'Referer', 'X-Forwarded-For', 'X-Requested-With', 'Origin', 'Accept']);
  const value = some()
    .replace(/[\0\r\n]/g, ' ')
    .trim();
  draft.fields = [...draft.fields.filter(([other]) => other !== name), [name, value]];
}

function inPath(draft: Draft, choices: Choices, some: () => string): void {
  draft.path = `/${choices.of(['', 'files/', 'cgi-bin/'])}${escaped(some(), /[\0-\x20?#\x7f-\xff]/g)}`;
}

function finished(draft: Draft, choices: Choices): Exchange {
  const { method, path, query, body } = draft;
  const fields: Field[] = [...draft.fields];
  if (draft.cookies.length > 0) fields.push(['Cookie', draft.cookies.join('; ')]);
  if (body !== '' || method === 'POST') fields.push(['Content-Length', String(body.length)]);
  const target = query.length > 0 ? `${path}?${query.join('&')}` : path;
  return { method, target, protocol: choices.happens(0.03) ? '1.0' : '1.1', fields, body };
}

/** A value as clients, and those who hide from rules, write it in a form. */
function encoded(choices: Choices, value: string): string {
  const form = escaped(value, /[^A-Za-z0-9\-_.~]/g);
  switch (choices.below(8)) {
    case 0:
      return escaped(value, /[^]/g);
    case 1:
      return escaped(form, /%/g);
    case 2:
      return escaped(value, /[\0-\x20#&+%\x7f-\xff]/g);
    case 3:
      return value.replace(/[^]/g, (byte) => `%u00${hex(byte)}`);
    case 4:
      return escaped(value, /[^A-Za-z0-9\-_.~ ]/g).replaceAll(' ', '+');
    default:
      return form;
  }
}

function escaped(text: string, bytes: RegExp): string {
  return text.replace(bytes, (byte) => `%${hex(byte)}`);
}

function hex(byte: string): string {
  return byte.charCodeAt(0).toString(16).padStart(2, '0');
}

function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function withResponse(choices: Choices, exchange: Exchange, pieces: readonly string[]): Exchange {
  if (!choices.happens(0.2)) return exchange;
  const type = choices.of(['text/html', 'text/plain', 'application/json; charset=utf-8', 'image/png']);
  const body = choices.happens(0.5) ? choices.of(pieces) : '<html><body>Thank you for your order.</body></html>';
  const status = choices.of([200, 200, 404, 500]);
  return {
    ...exchange,
    response: {
      status,
      fields: [
        ['Content-Type', type],
        ['Content-Length', `${body.length}`],
      ],
      body,
    },
  };
}
