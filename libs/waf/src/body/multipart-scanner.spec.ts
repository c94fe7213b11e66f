import fc from 'fast-check';
import { boundaryOf, MultipartScanner, type MultipartFault } from './multipart-scanner';

const limits = { parts: 3, headerBytes: 200, fileNameBytes: 10 };

function scan(text: string, size = text.length, boundary = 'b'): MultipartFault | undefined {
  const scanner = new MultipartScanner(boundary, limits);
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += size) scanner.push(bytes.subarray(at, at + size));
  return scanner.end();
}

const part = (more = '', data = 'x') => `--b\r\nContent-Disposition: form-data; name="a"${more}\r\n\r\n${data}\r\n`;
const END = '--b--\r\n';

describe('MultipartScanner', () => {
  it.each([
    ['one part', part() + END, undefined],
    ['as many as may be', part().repeat(3) + END, undefined],
    ['one too many', part().repeat(4) + END, 'parts'],
    ['a preamble and an epilogue', `hello\r\n${part()}${END}--b\r\n`.repeat(1), undefined],
    ['no data', part('', '') + END, undefined],
    ['data that holds the boundary within a line', part('', 'x--b') + END, undefined],
    ['a file name as long as may be', part('; filename="0123456789"') + END, undefined],
    ['a file name too long', part('; filename="0123456789a"') + END, 'fileName'],
    ['a file name without quotes too long', part('; filename=0123456789a') + END, 'fileName'],
    ['an extended file name too long', part("; filename*=UTF-8''012") + END, undefined],
    ['a second file name too long', part('; filename="a"; filename="0123456789a"') + END, 'fileName'],
    ['a head too long', part(`; x="${'y'.repeat(200)}"`) + END, 'header'],
    ['no end', part(), 'syntax'],
    ['nothing', '', 'syntax'],
    ['a boundary that is another', `--c\r\n\r\n\r\n--c--`, 'syntax'],
    ['a part without a head', `--b\r\n\r\nx\r\n${END}`, 'syntax'],
  ] as const)('%s', (_, text, fault) => {
    expect(scan(text)).toBe(fault);
    expect(scan(text, 1)).toBe(fault);
  });

  it('says the same however the bytes are cut', () => {
    const piece = fc.constantFrom(
      '--b',
      '\r\n',
      '--',
      'x',
      'Content-Disposition: form-data',
      '; filename="',
      '"',
      'y'.repeat(30),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), (pieces, size) => {
        const text = pieces.join('');
        expect(scan(text, size)).toBe(scan(text));
      }),
    );
  });

  it('reads a boundary that is named once and well-formed', () => {
    expect(boundaryOf('multipart/form-data; boundary=abc')).toBe('abc');
    expect(boundaryOf('multipart/form-data; charset=utf-8; Boundary="a b"')).toBe('a b');
    for (const bad of [
      '',
      '; boundary=',
      '; boundary="a "',
      '; boundary=a; boundary=b',
      `; boundary=${'a'.repeat(71)}`,
      '; boundary=ä',
    ]) {
      expect(boundaryOf(`multipart/form-data${bad}`)).toBeUndefined();
    }
  });
});
