import { readTar } from './tar';

/** One entry of an archive, as POSIX.1 writes it. */
function entry(name: string, body: string, type = '0'): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(`${Buffer.byteLength(body).toString(8).padStart(11, '0')}\0`, 124);
  header.fill(' ', 148, 156);
  header.write(type, 156);
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const data = Buffer.alloc(Math.ceil(Buffer.byteLength(body) / 512) * 512);
  data.write(body);
  return Buffer.concat([header, data]);
}

const archive = (...entries: Buffer[]): Buffer => Buffer.concat([...entries, Buffer.alloc(1024)]);

describe('an archive', () => {
  it('gives its files, and nothing else of what it holds', () => {
    const files = readTar(
      archive(
        entry('pax_global_header', '52 comment=0123456789abcdef\n', 'g'),
        entry('top/', '', '5'),
        entry('top/a.conf', 'one'),
        entry('top/link', '', '2'),
        entry('x', '30 path=top/a-long-name.data\n', 'x'),
        entry('top/a-lo', 'two'),
        entry('L', 'top/named-by-gnu\0', 'L'),
        entry('top/na', 'three'),
      ),
    );
    const text = [...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]);
    expect(text).toEqual([
      ['top/a.conf', 'one'],
      ['top/a-long-name.data', 'two'],
      ['top/named-by-gnu', 'three'],
    ]);
  });

  it.each([
    ['leads out by dots', archive(entry('top/../../etc/x', 'x')), 'leads out'],
    ['leads to the root', archive(entry('/etc/x', 'x')), 'leads out'],
    ['is cut off', archive(entry('a', 'x'.repeat(600))).subarray(0, 700), 'middle of a file'],
    ['is none', Buffer.alloc(512, 'x'), 'no tar archive'],
  ])('that %s is refused', (_, bytes, why) => expect(() => readTar(bytes)).toThrow(why));
});
