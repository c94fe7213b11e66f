import { refuse } from '@sallyport/contracts';
import { isFormType, isJsonType } from '../media-type';
import type { HeadRule } from '../rule';

export const unreadableMediaType: HeadRule = {
  id: 7705001,
  severity: 'critical',
  message: 'Content-Type cannot be read in one way',
  explanation:
    'A tab, trailing words, a second value: parsers disagree about such a type, so one of them may skip what the other runs.',
  inspect: ({ head }) => {
    const text = head.field.get('content-type');
    if (!head.hasBody || text === undefined || head.mediaType !== undefined) return undefined;
    return {
      variable: 'REQUEST_HEADERS:content-type',
      data: text,
      refusal: refuse('MEDIA_TYPE_UNSUPPORTED', { accepted: 'one well-formed Content-Type' }),
    };
  },
};

const CHARSET = /;\s*charset="?([^";]*)/i;

export const foreignCharset: HeadRule = {
  id: 7705002,
  severity: 'critical',
  message: 'Charset other than UTF-8 on text that is inspected',
  explanation: 'Text in another charset passes an inspector that reads UTF-8 and is decoded by the origin behind it.',
  inspect: ({ head }) => {
    if (!head.hasBody || !(isJsonType(head.mediaType) || isFormType(head.mediaType))) return undefined;
    const charset = CHARSET.exec(head.field.get('content-type') ?? '')?.[1]?.toLowerCase();
    if (charset === undefined || charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii') return undefined;
    return {
      variable: 'REQUEST_HEADERS:content-type',
      data: charset,
      refusal: refuse('MEDIA_TYPE_UNSUPPORTED', { accepted: `${head.mediaType} in UTF-8` }),
    };
  },
};

/** What whoever shows us a body has unpacked before. */
const UNPACKED: ReadonlySet<string> = new Set(['', 'identity', 'gzip', 'x-gzip', 'deflate', 'br', 'zstd']);

export const compressedBody: HeadRule = {
  id: 7705003,
  severity: 'error',
  message: 'Packed body on a type that is inspected, in a way that cannot be unpacked',
  explanation:
    'Packed bytes say nothing to an inspector. The ingress unpacks gzip, deflate, br and, where Node has it, zstd, and shows what is inside.',
  inspect: ({ head }) => {
    const codings = head.field.get('content-encoding')?.toLowerCase().split(',') ?? [];
    const inspected = head.hasBody && (isJsonType(head.mediaType) || isFormType(head.mediaType));
    const foreign = codings.find((coding) => !UNPACKED.has(coding.trim()));
    if (!inspected || foreign === undefined) return undefined;
    return {
      variable: 'REQUEST_HEADERS:content-encoding',
      data: foreign,
      refusal: refuse('MEDIA_TYPE_UNSUPPORTED', { accepted: `${head.mediaType} without Content-Encoding` }),
    };
  },
};
