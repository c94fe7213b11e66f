import { noUsage, type Usage } from '../usage';

/** English prose and JSON both lie near it for the tokenisers in use. */
const BYTES_PER_TOKEN = 4;

/** Bytes. Vendors send about one token an event; text longer than any token is several that were gathered. */
export const LONGEST_TOKEN = 32;

/** Letters of base64 in a row from which on they are no prose: an image or a sound, packed into text. */
const MEDIA_BYTES = 2_048;
/** What vendors count for one; it depends on what it shows, and never on its bytes. */
const MEDIA_TOKENS = 1_000;

const BASE64 = new Uint8Array(256);
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\\')
  BASE64[letter.charCodeAt(0)] = 1;

/** Tokens of a piece of a stream, by the bytes of its text. */
export function tokensOf(textBytes: number): number {
  return textBytes <= LONGEST_TOKEN ? 1 : Math.ceil(textBytes / BYTES_PER_TOKEN);
}

/** Tokens of a whole text. */
export function tokensOfText(textBytes: number): number {
  return Math.ceil(textBytes / BYTES_PER_TOKEN);
}

/** What a call used, where the vendor has said nothing. */
export function estimatedUsage(request: Buffer, outputTokens: number): Usage {
  return { ...noUsage(), input: BigInt(inputTokens(request)), output: BigInt(outputTokens) };
}

function inputTokens(request: Buffer): number {
  let media = 0;
  let mediaBytes = 0;
  let run = 0;
  for (let at = 0; at <= request.length; at++) {
    if (at < request.length && BASE64[request[at]!] === 1) {
      run++;
      continue;
    }
    if (run >= MEDIA_BYTES) {
      media++;
      mediaBytes += run;
    }
    run = 0;
  }
  return tokensOfText(request.length - mediaBytes) + media * MEDIA_TOKENS;
}
