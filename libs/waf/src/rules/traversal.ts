import { refuse } from '@sallyport/contracts';
import { unescapePercent } from '../body/arguments';
import type { Finding, HeadRule } from '../rule';

/** More rounds of decoding than any chain of proxies and frameworks does. */
const MAX_ROUNDS = 4;

/** Bytes that lenient decoders take for a dot, a slash or a backslash: overlong UTF-8 and full-width forms. */
const DISGUISED: readonly (readonly [RegExp, string])[] = [
  [/\xc0\xae|\xe0\x80\xae|\xf0\x80\x80\xae|\xef\xbc\x8e|%u(?:002e|ff0e)/gi, '.'],
  [/\xc0\xaf|\xe0\x80\xaf|\xf0\x80\x80\xaf|\xef\xbc\x8f|%u(?:002f|ff0f|2215)|\xe2\x88\x95/gi, '/'],
  [/\xc1\x9c|\xe0\x81\x9c|\xef\xbc\xbc|%u(?:005c|ff3c)/gi, '\\'],
];

const TRAVERSAL = /(?:^|[/\\])\.\.(?:[/\\;]|$)/;

function undisguise(text: string): string {
  return DISGUISED.reduce((plain, [pattern, character]) => plain.replace(pattern, character), text);
}

/** Without two dots there must at least be something that decodes to them. */
function mayClimb(text: string): boolean {
  if (text.includes('%') || text.includes('..')) return true;
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) >= 0x80) return true;
  return false;
}

/** Whether a decoder that is more lenient, or decodes more often than we do, would climb to a parent folder. */
export function climbs(text: string): boolean {
  if (!mayClimb(text)) return false;
  let plain = text;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    plain = undisguise(plain);
    // A NUL or white space that an origin cuts off must not hide the dots before it.
    if (TRAVERSAL.test(plain.replace(/[\0\s]+(?=[/\\]|$)/g, ''))) return true;
    const decoded = unescapePercent(plain);
    if (decoded === plain) return false;
    plain = decoded;
  }
  return false;
}

function climbing(variable: string): Finding {
  return { variable, data: '..', refusal: refuse('WAF_BLOCKED') };
}

export const pathTraversal: HeadRule = {
  id: 7702001,
  severity: 'critical',
  message: 'Path climbs to a parent folder',
  explanation:
    'Dot segments are refused before inspection. This rule finds those that only a lenient origin would see: full-width characters, white space behind the dots.',
  inspect: ({ head }) => (climbs(head.path) ? climbing('REQUEST_PATH') : undefined),
};

export const argumentTraversal: HeadRule = {
  id: 7702002,
  severity: 'critical',
  message: 'Argument climbs to a parent folder',
  explanation:
    'A value with a “..” segment, escaped once or several times or written in overlong UTF-8, is how files outside the intended folder are asked for. An API that takes relative paths as data needs the rule in detect mode.',
  inspect: ({ queryArguments, isPlainQuery }) => {
    if (isPlainQuery) return undefined;
    const found = queryArguments.find(({ name, value }) => climbs(value) || climbs(name));
    return found && climbing(`ARGS:${found.name}`);
  },
};
