import fc from 'fast-check';
import { EventMeter } from './event-meter';

/** Pieces of some text, and whether the last of them is too much. */
function measure(maxBytes: number, ...pieces: string[]): boolean {
  const meter = new EventMeter(maxBytes);
  return pieces.map((piece) => meter.push(Buffer.from(piece))).some(Boolean);
}

describe('EventMeter', () => {
  it('lets any number of short events pass', () => {
    const meter = new EventMeter(20);
    for (let at = 0; at < 1_000; at++) expect(meter.push(Buffer.from('data: 0123456789\n\n'))).toBe(false);
  });

  it('finds an event that grows over several pieces', () => {
    expect(measure(20, 'data: 0123', '4567890123456789')).toBe(true);
    expect(measure(20, 'data: 0123\n', 'data: 4567\n', '\n', 'data: 0123\n\n')).toBe(true);
    expect(measure(30, 'data: 0123\n', 'data: 4567\n', '\n', 'data: 0123\n\n')).toBe(false);
  });

  it('finds one long event among short ones in one piece', () => {
    expect(measure(20, `data: 1\n\ndata: ${'x'.repeat(30)}\n\ndata: 1\n\n`)).toBe(true);
    expect(measure(20, 'data: 1\n\ndata: 2\n\ndata: 3\n\n')).toBe(false);
  });

  it.each(['\n', '\r\n', '\r'])('knows every line end of the standard: %j', (end) => {
    const event = `data: 1${end}data: 2${end}${end}`;
    expect(measure(30, event.repeat(20))).toBe(false);
    expect(measure(30, ...event.repeat(20))).toBe(false);
    expect(measure(30, `data: ${'x'.repeat(30)}${end}${end}`)).toBe(true);
  });

  it('knows where a comment could be put in', () => {
    const meter = new EventMeter(100);
    expect(meter.place).toBe('event');
    meter.push(Buffer.from('data: 1'));
    expect(meter.place).toBe('middle');
    meter.push(Buffer.from('\n'));
    expect(meter.place).toBe('line');
    meter.push(Buffer.from('\n'));
    expect(meter.place).toBe('event');
  });

  it('says the same however the stream is cut', () => {
    const text = fc
      .array(fc.constantFrom('a', '\n', '\r\n', '\r', 'bb'), { maxLength: 40 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 5 }), (stream, max, size) => {
        const cut = stream.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
        const plain = stream.replace(/\r\n?/g, '\n').replace(/^\n+/, '');
        const longest = Math.max(0, ...plain.split(/\n{2,}/).map((event) => event.length));
        const verdict = measure(max, ...cut);
        expect(verdict).toBe(measure(max, stream));
        if (longest > max) expect(verdict).toBe(true);
        if (longest * 2 + 4 <= max) expect(verdict).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});
