/** An answer of the origin behind the gateway. */
export interface OriginAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

interface Reflection {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly encodedBody?: string;
}

const EMPTY: OriginAnswer = { status: 200, headers: [], body: Buffer.alloc(0) };

/**
 * The origin the tests of CRS are written for: it answers everything with 200 and no body, and a POST to `/reflect` with the
 * answer that the body describes.
 */
export function originAnswer(method: string, target: string, body: Buffer): OriginAnswer {
  if (method !== 'POST' || target.split('?')[0] !== '/reflect') return EMPTY;
  let reflection: Reflection;
  try {
    reflection = JSON.parse(body.toString('utf8')) as Reflection;
  } catch {
    return { ...EMPTY, status: 400 };
  }
  const content = contentOf(reflection);
  const headers = Object.entries(reflection.headers ?? {});
  const typed = content.length === 0 || headers.some(([name]) => name.toLowerCase() === 'content-type');
  if (!typed) headers.push(['Content-Type', sniff(content)]);
  return { status: reflection.status ?? 200, headers, body: content };
}

function contentOf({ body = '', encodedBody }: Reflection): Buffer {
  return encodedBody === undefined ? Buffer.from(body) : Buffer.from(encodedBody, 'base64');
}

/** As servers written in Go name what has no type: the first lines of https://mimesniff.spec.whatwg.org. */
function sniff(content: Buffer): string {
  const start = content.toString('latin1', 0, 512).trimStart().toUpperCase();
  if (start.startsWith('<?XML')) return 'text/xml; charset=utf-8';
  if (start.startsWith('%PDF-')) return 'application/pdf';
  const isHtml = HTML_TAGS.some((tag) => start.startsWith(tag) && ' >'.includes(start.charAt(tag.length)));
  if (isHtml || start.startsWith('<!--')) return 'text/html; charset=utf-8';
  const isBinary = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(start);
  return isBinary ? 'application/octet-stream' : 'text/plain; charset=utf-8';
}

const HTML_TAGS =
  '<!DOCTYPE HTML,<HTML,<HEAD,<SCRIPT,<IFRAME,<H1,<DIV,<FONT,<TABLE,<A,<STYLE,<TITLE,<B,<BODY,<BR,<P'.split(',');
