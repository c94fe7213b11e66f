import { linksOf } from '../../../libs/waf/src/fold';
import { readRegex } from '../../../libs/waf/src/regex/parser';
import { disturbed, textOf } from '../../../libs/waf/src/regex/texts-of-syntax.suite';
import type { Link, Rule, Target } from '../../../libs/waf/src/rule-set';
import type { RuleSource } from '../../../libs/waf/src/seclang/rule-source';
import { variables } from '../../../libs/waf/src/variables/registry';
import type { Exchange } from './oracle';
import type { Choices } from './random';

type Field = readonly [name: string, value: string];

/** An exchange while the texts of a rule are put where the rule looks. */
interface Draft {
  method: string;
  path: string;
  query: string[];
  protocol: string;
  fields: Field[];
  cookies: string[];
  form: string[];
  parts: string[];
  xml: { text: string; attribute: string } | undefined;
  body: string | undefined;
  status: number;
  answerFields: Field[];
  answer: string | undefined;
}

/**
 * Exchanges that each rule of a set should find something in, and some that it only just should not: texts made from its own patterns
 * and words, put where it looks. What a rule asks of scores and of what others have set cannot be made.
 * @param count for each rule that detects something
 */
export function* exchangesOfRules(
  choices: Choices,
  rules: readonly Rule[],
  source: RuleSource,
  count: number,
): Generator<Exchange> {
  for (const rule of rules) {
    const links = linksOf(rule).filter(isOfExchange);
    if (links.length === 0) continue;
    for (let made = 0; made < count; made++) {
      const draft = newDraft();
      for (const link of links)
        put(draft, choices, choices.of(link.targets.filter(isPlace)), textFor(link, choices, source));
      yield finished(draft);
    }
  }
}

function isOfExchange({ targets }: Link): boolean {
  return targets.some(isPlace);
}

const nameOf = ({ variable }: Target): string => variables[variable]!.name;
const isPlace = (target: Target): boolean => !target.counted && nameOf(target) in places;

/** A text of which the rule has, or nearly has, a match. */
function textFor(link: Link, choices: Choices, source: RuleSource): string {
  const random = () => choices.below(1 << 30) / (1 << 30);
  const exact = textThatMatches(link, choices, source);
  const text = choices.happens(0.3) ? disturbed(exact, random, ALPHABET) : exact;
  const [before, after] = [choices.of(SURROUNDINGS), choices.of(SURROUNDINGS)];
  return choices.happens(0.5) ? text : `${before}${text}${after}`;
}

const ALPHABET = 'abz09 =\'"<>()/\\;:.-_\n\r\xe9&%+{}[]#|`$@,*';
const SURROUNDINGS = [
  '',
  ' ',
  'a',
  '1',
  '"',
  "'",
  ';',
  '\n',
  '\r\n',
  '/',
  '=',
  '(',
  ')',
  '<',
  '>',
  '\0',
  '\xc3\xa9',
  '\xa0',
  '%',
  '#',
];

function textThatMatches({ operatorName, operatorText, negated }: Link, choices: Choices, source: RuleSource): string {
  const argument = operatorText.parts.map((part) => (typeof part === 'string' ? part : '')).join('');
  const random = () => choices.below(1 << 30) / (1 << 30);
  switch (operatorName.toLowerCase()) {
    case 'rx':
      return negated && choices.happens(0.7)
        ? choices.of(ODD)
        : textOf(readRegex(argument, { multiline: true }).syntax, random);
    case 'pm':
      return choices.of(argument.split(/ +/));
    case 'pmfromfile':
    case 'pmf':
      return choices.of(wordsOf(argument, source));
    case 'validatebyterange':
      return String.fromCharCode(choices.below(256), choices.below(256));
    case 'validateurlencoding':
      return choices.of(['%', '%4', '%zz', '%41', 'a%']);
    case 'validateutf8encoding':
      return choices.of(['\xc0\xaf', '\xff', '\xe9', '\xed\xa0\x80', '\xc3\xa9', '\xf4\x90\x80\x80']);
    case 'detectsqli':
      return choices.of(["1' or '1'='1", '1 union select 1', "x' and sleep(5)--"]);
    case 'detectxss':
      return choices.of(['<script>alert(1)</script>', '<img src=x onerror=a>', 'javascript:alert(1)']);
    case 'within':
    case 'unconditionalmatch':
      return choices.of(ODD);
    case 'ipmatch':
      return '127.0.0.1';
    case 'gt':
    case 'ge':
    case 'lt':
    case 'le':
    case 'eq':
      return choices.of([argument, String(Number(argument) + 1), String(Number(argument) - 1), '']);
    default:
      return argument;
  }
}

const ODD = [
  '',
  ' ',
  'abc',
  '0',
  'GET',
  'FOO',
  'x/y',
  'a,b',
  '1.9',
  'HTTP/3.7',
  'bytes=1-2',
  'multipart/form-data',
  '\xff',
  "'",
];

function wordsOf(files: string, source: RuleSource): string[] {
  return files.split(' ').flatMap((name) => {
    const text = source.read(name, source.files.find((file) => file.name.endsWith('.conf'))!.name) ?? '';
    return text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'));
  });
}

type Put = (draft: Draft, text: string, member: string, choices: Choices) => void;

const form: Put = (draft, text, member) => void draft.form.push(`${escaped(member)}=${escaped(text)}`);
const query: Put = (draft, text, member) => void draft.query.push(`${escaped(member)}=${escaped(text)}`);
const formName: Put = (draft, text) => void draft.form.push(`${escaped(text)}=1`);
const queryName: Put = (draft, text) => void draft.query.push(`${escaped(text)}=1`);
const path: Put = (draft, text) => {
  draft.path = `/${text.replace(/^\//, '').replace(/[\0-\x20?#%\x7f-\xff]/g, hexOf)}`;
};
const multipart: Put = (draft, text, member, choices) => {
  const quoted = text.replace(/["\r\n\0\\]/g, '');
  draft.parts.push(
    choices.happens(0.5)
      ? `Content-Disposition: form-data; name="${member}"; filename="${quoted}"\r\nContent-Type: text/plain`
      : `Content-Disposition: form-data; name="${quoted}"; filename="a.txt"`,
  );
};

/** Where a value of a variable stands in an exchange. */
const places: Readonly<Record<string, Put>> = {
  ARGS: (draft, text, member, choices) => choices.of([form, query, query])(draft, text, member, choices),
  ARGS_GET: query,
  ARGS_NAMES: (draft, text, member, choices) => choices.of([formName, queryName])(draft, text, member, choices),
  ARGS_GET_NAMES: queryName,
  QUERY_STRING: (draft, text) => void draft.query.push(text.replace(/[\0-\x20#\x7f-\xff]/g, hexOf)),
  REQUEST_COOKIES: (draft, text, member) => void draft.cookies.push(`${member}=${line(text).replaceAll(';', '')}`),
  REQUEST_COOKIES_NAMES: (draft, text) => void draft.cookies.push(`${line(text).replace(/[;=]/g, '')}=1`),
  REQUEST_HEADERS: (draft, text, member) => void header(draft, member, text),
  REQUEST_HEADERS_NAMES: (draft, text) =>
    void header(draft, text.replace(/[^!#$%&'*+\-.^_`|~0-9A-Za-z]/g, '') || 'x', '1'),
  REQUEST_FILENAME: path,
  REQUEST_BASENAME: path,
  REQUEST_URI: path,
  REQUEST_URI_RAW: path,
  REQUEST_LINE: path,
  REQUEST_METHOD: (draft, text) => {
    draft.method = text.replace(/[^A-Za-z]/g, '') || 'GET';
  },
  REQUEST_PROTOCOL: (draft, text) => {
    draft.protocol = /^HTTP\/(\d\.\d)$/.exec(text)?.[1] ?? draft.protocol;
  },
  REQUEST_BODY: (draft, text) => {
    draft.body = text;
  },
  FILES: multipart,
  FILES_NAMES: multipart,
  MULTIPART_PART_HEADERS: (draft, text) =>
    void draft.parts.push(`Content-Disposition: form-data; name="a"\r\n${line(text)}`),
  'XML:/*': (draft, text) => void (draft.xml = { text: xmlText(text), attribute: '' }),
  'XML://@*': (draft, text) => void (draft.xml = { text: '', attribute: xmlText(text) }),
  RESPONSE_BODY: (draft, text) => {
    draft.answer = text;
  },
  RESPONSE_STATUS: (draft, text) => {
    draft.status = Number(/\d{3}/.exec(text)?.[0] ?? 200);
    draft.answer ??= '';
  },
  RESPONSE_HEADERS: (draft, text, member) => {
    draft.answerFields.push([member, line(text)]);
    draft.answer ??= '';
  },
};

function put(draft: Draft, choices: Choices, target: Target, text: string): void {
  places[nameOf(target)]!(draft, text, target.member ?? memberFor(nameOf(target), choices), choices);
}

function memberFor(variable: string, choices: Choices): string {
  if (variable === 'REQUEST_HEADERS') return choices.of(['User-Agent', 'Referer', 'X-Forwarded-For', 'X-Custom']);
  return choices.of(['a', 'id', 'q', 'user.name']);
}

const line = (text: string): string => text.replace(/[\0\r\n]/g, ' ').trim();
const xmlText = (text: string): string =>
  text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x80-\xff]/g, '').replace(/[&<>"]/g, (byte) => `&#${byte.charCodeAt(0)};`);
const hexOf = (byte: string): string => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
const escaped = (text: string): string => text.replace(/[^A-Za-z0-9\-_.~]/g, hexOf);

function header(draft: Draft, name: string, value: string): void {
  draft.fields = [...draft.fields.filter(([other]) => other.toLowerCase() !== name.toLowerCase()), [name, line(value)]];
}

function newDraft(): Draft {
  return {
    method: 'GET',
    path: '/',
    query: [],
    protocol: '1.1',
    fields: [
      ['Host', 'shop.example'],
      ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
      ['Accept', 'text/html'],
    ],
    cookies: [],
    form: [],
    parts: [],
    xml: undefined,
    body: undefined,
    status: 200,
    answerFields: [],
    answer: undefined,
  };
}

function finished(draft: Draft): Exchange {
  const { path, query, cookies, protocol, status, answerFields, answer } = draft;
  const [type, body] = bodyOf(draft);
  const named = (name: string) => draft.fields.some(([other]) => other.toLowerCase() === name);
  const fields: Field[] = [...draft.fields];
  if (cookies.length > 0) fields.push(['Cookie', cookies.join('; ')]);
  if (type !== '' && !named('content-type')) fields.push(['Content-Type', type]);
  if (body !== '' && !named('content-length')) fields.push(['Content-Length', String(body.length)]);
  const method = body !== '' && draft.method === 'GET' ? 'POST' : draft.method;
  const target = query.length > 0 ? `${path}?${query.join('&')}` : path;
  const request = { method, target, protocol, fields, body };
  if (answer === undefined) return request;
  const ofAnswer: Field[] = [['Content-Type', 'text/html'], ...answerFields];
  return { ...request, response: { status, fields: ofAnswer, body: answer } };
}

function bodyOf({ form, parts, xml, body }: Draft): readonly [type: string, body: string] {
  if (xml) return ['text/xml', `<?xml version="1.0"?><order id="${xml.attribute}"><item>${xml.text}</item></order>`];
  if (parts.length > 0)
    return [
      'multipart/form-data; boundary=b0b0',
      `${parts.map((part) => `--b0b0\r\n${part}\r\n\r\n1\r\n`).join('')}--b0b0--\r\n`,
    ];
  if (body !== undefined) return ['application/x-www-form-urlencoded', body];
  return form.length > 0 ? ['application/x-www-form-urlencoded', form.join('&')] : ['', ''];
}
