import { randomBytes } from 'node:crypto';
import zlib, { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { isRefusal } from '@sallyport/contracts';
import { BoundedDecoder, codingsOf } from './bounded-decoder';
import type * as Decoding from './bounded-decoder';
import { defaultBounds } from './limits';

const MIB = 1024 * 1024;

interface Unpacked {
  readonly bytes: number;
  readonly text: string;
  readonly code: string | undefined;
}

function unpack(codings: string[], packed: Buffer, piece = 1_000, limits: object = {}): Promise<Unpacked> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const done = (code?: string) => {
      const all = Buffer.concat(parts);
      resolve({ bytes: all.length, text: all.toString('latin1').slice(0, 20), code });
    };
    const decoder = new BoundedDecoder(
      codings,
      { ...defaultBounds, ...limits },
      { onData: (chunk) => parts.push(chunk), onEnd: () => done(), onRefused: ({ code }) => done(code) },
    );
    for (let at = 0; at < packed.length; at += piece) decoder.write(packed.subarray(at, at + piece));
    decoder.end();
  });
}

describe('a packed body', () => {
  const text = Buffer.from('{"a":1}');

  it.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
  ])('is unpacked: %s', async (coding, packed) => {
    expect(await unpack([coding], packed, 3)).toMatchObject({ text: '{"a":1}', code: undefined });
  });

  it('of two layers is unpacked in turn', async () => {
    const packed = brotliCompressSync(gzipSync(text));
    expect(await unpack(['gzip', 'br'], packed)).toMatchObject({ text: '{"a":1}', code: undefined });
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(200 * MIB))],
    ['deflate', deflateSync(Buffer.alloc(50 * MIB))],
    ['br', brotliCompressSync(Buffer.alloc(50 * MIB))],
  ])('that is a bomb is refused long before it has gone off: %s', async (coding, packed) => {
    const { bytes, code } = await unpack([coding], packed, 65_536);
    expect(code).toBe('BODY_TOO_LARGE');
    expect(bytes).toBeLessThanOrEqual(2 * MIB + Math.min(packed.length * 20, 10 * MIB));
  });

  it('that hides a bomb in its second layer is refused', async () => {
    const packed = gzipSync(gzipSync(Buffer.alloc(100 * MIB)));
    expect((await unpack(['gzip', 'gzip'], packed)).code).toBe('BODY_TOO_LARGE');
  });

  it('that unpacks to more than the limit is refused, however honest its ratio', async () => {
    const packed = gzipSync(randomBytes(MIB));
    expect((await unpack(['gzip'], packed, 65_536, { decompressedBytes: MIB - 1 })).code).toBe('BODY_TOO_LARGE');
    expect((await unpack(['gzip'], packed, 65_536, { decompressedBytes: MIB })).code).toBeUndefined();
  });

  it.each([
    ['is cut off', gzipSync(text).subarray(0, 20)],
    ['is another coding', brotliCompressSync(text)],
    ['is followed by something', Buffer.concat([gzipSync(text), Buffer.from('GET / HTTP/1.1')])],
    ['is a bare stream', deflateRawSync(text)],
  ])('that %s is malformed', async (_, packed) => {
    expect((await unpack(['gzip'], packed)).code).toBe('REQUEST_MALFORMED');
  });
});

describe('Content-Encoding', () => {
  it('is read as a list', () => {
    expect(codingsOf(undefined, 1)).toEqual([]);
    expect(codingsOf('identity', 1)).toEqual([]);
    expect(codingsOf('GZIP', 1)).toEqual(['gzip']);
    expect(codingsOf('gzip, br', 2)).toEqual(['gzip', 'br']);
  });

  it.each(['compress', 'gzip, br', 'gzip;q=1', 'gzip gzip', 'ｇｚｉｐ'])(
    'is refused where it is not known: %s',
    (value) => {
      const codings = codingsOf(value, 1);
      expect(isRefusal(codings) && codings.code).toBe('MEDIA_TYPE_UNSUPPORTED');
    },
  );
});

describe('a body packed by zstd', () => {
  /** Reads the decoder anew, as on a Node that has zstd or on one that has not. */
  function decoderWith(own: object): typeof Decoding {
    const plain = { ...zlib, createZstdDecompress: undefined, ...own };
    let decoding: typeof Decoding;
    jest.isolateModules(() => {
      jest.doMock('node:zlib', () => ({ __esModule: true, ...plain, default: plain }));
      decoding = jest.requireActual<typeof Decoding>('./bounded-decoder');
    });
    jest.dontMock('node:zlib');
    return decoding!;
  }

  it('is refused as a type that is not supported where Node cannot unpack it', () => {
    const { codingsOf: codings, knownCodings } = decoderWith({});
    expect(codings('zstd', 1)).toMatchObject({ code: 'MEDIA_TYPE_UNSUPPORTED' });
    expect(knownCodings).toBe('gzip, deflate, br');
  });

  it('is unpacked within bounds where Node can', async () => {
    // Any other stream shows what is done with the one of Node.
    const { BoundedDecoder: Decoder, ...rest } = decoderWith({ createZstdDecompress: zlib.createInflate });
    expect(rest.codingsOf('zstd', 1)).toEqual(['zstd']);
    const unpacked = (packed: Buffer): Promise<string> =>
      new Promise((resolve) => {
        let bytes = 0;
        const decoder = new Decoder(['zstd'], defaultBounds, {
          onData: (chunk) => (bytes += chunk.length),
          onEnd: () => resolve(`${bytes} bytes`),
          onRefused: ({ code }) => resolve(code),
        });
        decoder.write(packed);
        decoder.end();
      });
    expect(await unpacked(deflateSync('{"a":1}'))).toBe('7 bytes');
    expect(await unpacked(deflateSync(Buffer.alloc(40 * MIB)))).toBe('BODY_TOO_LARGE');
    expect(await unpacked(Buffer.from('no frame'))).toBe('REQUEST_MALFORMED');
  });

  const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer };
  (zstdCompressSync ? it : it.skip)('is unpacked by the Node that runs this', async () => {
    const { text, code } = await unpack(['zstd'], zstdCompressSync!(Buffer.from('{"a":1}')));
    expect([text, code]).toEqual(['{"a":1}', undefined]);
  });
});
