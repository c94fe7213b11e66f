import { base64Decode } from './base64-decode';
import { base64DecodeExt } from './base64-decode-ext';
import { base64Encode } from './base64-encode';
import { cmdLine } from './cmd-line';
import { compressWhitespace } from './compress-whitespace';
import { cssDecode } from './css-decode';
import { escapeSeqDecode } from './escape-seq-decode';
import { hexDecode } from './hex-decode';
import { hexEncode } from './hex-encode';
import { htmlEntityDecode } from './html-entity-decode';
import { jsDecode } from './js-decode';
import { length } from './length';
import { lowercase } from './lowercase';
import { md5 } from './md5';
import { normalisePath, normalisePathWin } from './normalise-path';
import { parityEven7bit, parityOdd7bit, parityZero7bit } from './parity';
import { removeComments } from './remove-comments';
import { removeCommentsChar } from './remove-comments-char';
import { removeNulls } from './remove-nulls';
import { removeWhitespace } from './remove-whitespace';
import { replaceComments } from './replace-comments';
import { replaceNulls } from './replace-nulls';
import { sha1 } from './sha1';
import { sqlHexDecode } from './sql-hex-decode';
import type { Transformation } from './transformation';
import { trim, trimLeft, trimRight } from './trim';
import { uppercase } from './uppercase';
import { urlDecode } from './url-decode';
import { urlDecodeUni } from './url-decode-uni';
import { urlEncode } from './url-encode';
import { utf8toUnicode } from './utf8-to-unicode';

/** Every transformation, each once. `t:none` is none of them: it clears a list. */
export const transformations: readonly Transformation[] = [
  base64Decode,
  base64DecodeExt,
  base64Encode,
  cmdLine,
  compressWhitespace,
  cssDecode,
  escapeSeqDecode,
  hexDecode,
  hexEncode,
  htmlEntityDecode,
  jsDecode,
  length,
  lowercase,
  md5,
  normalisePath,
  normalisePathWin,
  parityEven7bit,
  parityOdd7bit,
  parityZero7bit,
  removeComments,
  removeCommentsChar,
  removeNulls,
  removeWhitespace,
  replaceComments,
  replaceNulls,
  sha1,
  sqlHexDecode,
  trim,
  trimLeft,
  trimRight,
  uppercase,
  urlDecode,
  urlDecodeUni,
  urlEncode,
  utf8toUnicode,
];

/** Second spellings the reference manual allows. */
const aliases: readonly (readonly [string, Transformation])[] = [
  ['normalizePath', normalisePath],
  ['normalizePathWin', normalisePathWin],
];

const byName = new Map<string, Transformation>();
for (const [name, transformation] of [...transformations.map((each) => [each.name, each] as const), ...aliases]) {
  const key = name.toLowerCase();
  if (byName.has(key)) throw new Error(`two transformations are called ${name}`);
  byName.set(key, transformation);
}

/** @param name in any letter case; undefined where no transformation is called so */
export function transformationNamed(name: string): Transformation | undefined {
  return byName.get(name.toLowerCase());
}
