import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WafProfile } from '@sallyport/contracts';
import type { BenignRequest } from './benign-request';

const folder = join(__dirname, 'requests');
const USUAL = [
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0'],
  ['Accept', '*/*'],
] as const;

/** Requests of `requests/<profile>.http`: a title behind `###`, request line, fields, an empty line, the body. */
export function handWritten(): BenignRequest[] {
  return readdirSync(folder).flatMap((file) => {
    const profile = file.replace(/\.http$/, '') as WafProfile;
    const texts = readFileSync(join(folder, file), 'utf8').split(/^### /m);
    return texts.filter((text) => text !== '').map((text) => requestOf(profile, text));
  });
}

function requestOf(profile: WafProfile, text: string): BenignRequest {
  const [title = '', ...rest] = text.split('\n');
  const [head = '', ...body] = rest.join('\n').trimEnd().split('\n\n');
  const [line = '', ...lines] = head.split('\n');
  const [method = '', target = ''] = line.split(' ');
  const own = lines.map((field): [string, string] => {
    const colon = field.indexOf(':');
    return [field.slice(0, colon), field.slice(colon + 1).trim()];
  });
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  const fields = [...USUAL.filter(([name]) => !names.has(name.toLowerCase())), ...own];
  const isForm = own.some(([, value]) => value.startsWith('multipart/'));
  return { profile, title, method, target, fields, body: bodyOf(body.join('\n\n'), isForm) };
}

/** Lines of multipart bodies end as RFC 2046 has it. */
function bodyOf(text: string, isForm: boolean): Buffer | undefined {
  if (text === '') return undefined;
  return Buffer.from(isForm ? `${text.replaceAll('\n', '\r\n')}\r\n` : text);
}
