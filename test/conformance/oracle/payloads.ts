import { bytesOf } from '../crs/stage-bytes';
import { readRequest } from '../crs/read-request';
import { readTests } from '../crs/test-file';
import type { Exchange } from './oracle';

/** What regression tests send: as they stand, and the pieces that can stand anywhere. */
export interface Payloads {
  readonly exchanges: readonly Exchange[];
  readonly pieces: readonly string[];
}

const longestPiece = 2000;

/** @param folder of go-ftw tests; what the HTTP parser rejects is left out */
export function readPayloads(folder: string): Payloads {
  const exchanges: Exchange[] = [];
  for (const { stages } of readTests(folder)) {
    for (const { input } of stages) {
      const exchange = exchangeOf(bytesOf(input));
      if (exchange) exchanges.push(exchange);
    }
  }
  const pieces = new Set(exchanges.flatMap(piecesOf).map((piece) => piece.slice(0, longestPiece)));
  pieces.delete('');
  return { exchanges, pieces: [...pieces] };
}

function exchangeOf(bytes: Buffer): Exchange | undefined {
  const request = readRequest(bytes);
  if (!request) return undefined;
  const { method, target, httpVersion, rawHeaders, body } = request;
  const fields = Array.from({ length: rawHeaders.length / 2 }, (_, at): [string, string] => [
    rawHeaders[2 * at]!,
    rawHeaders[2 * at + 1]!,
  ]);
  return { method, target, protocol: httpVersion, fields, body: body.toString('latin1') };
}

function piecesOf({ target, fields, body }: Exchange): string[] {
  const [path, ...query] = target.split('?');
  const headers = fields.filter(([name]) => !/^(host|accept.*|connection|content-length|user-agent)$/i.test(name));
  return [path!, ...pairsOf(query.join('?')), ...pairsOf(body), ...headers.map(([, value]) => value)];
}

/** Names and values of a form; of anything else the whole. */
function pairsOf(text: string): string[] {
  return text.split('&').flatMap((pair) => {
    const [name, ...value] = pair.split('=');
    return [name!, value.join('=')].map(unescaped);
  });
}

function unescaped(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
