import fc from 'fast-check';
import { eventData, EventTooLarge, MAX_EVENT_BYTES, SseSplitter } from './sse';

function split(chunks: readonly Buffer[]): { events: string[]; rest: string } {
  const events: string[] = [];
  const splitter = new SseSplitter((event) => events.push(event.toString('latin1')));
  for (const chunk of chunks) splitter.push(chunk);
  const rest = splitter.end();
  return { events, rest: rest.toString('latin1') };
}

const bytesOf = (text: string) => [Buffer.from(text, 'latin1')];

describe('SseSplitter', () => {
  it.each([
    ['data: a\n\ndata: b\n\n', ['data: a\n\n', 'data: b\n\n'], ''],
    ['data: a\r\n\r\ndata: b\r\n\r\n', ['data: a\r\n\r\n', 'data: b\r\n\r\n'], ''],
    ['data: a\r\rdata: b\r\r', ['data: a\r\r', 'data: b\r\r'], ''],
    ['data: a\n\r\ndata: b', ['data: a\n\r\n'], 'data: b'],
    [': ping\n\n', [': ping\n\n'], ''],
    ['data: a\ndata: b\n\n', ['data: a\ndata: b\n\n'], ''],
    ['\n\n', ['\n', '\n'], ''],
  ])('splits %j at blank lines and keeps every byte', (text, events, rest) => {
    expect(split(bytesOf(text))).toEqual({ events, rest });
  });

  it('takes a byte order mark off the beginning, however it is cut, and leaves any other', () => {
    const mark = '\xef\xbb\xbf';
    const stream = Buffer.from(`${mark}data: a\n\n${mark}data: b\n\n`, 'latin1');
    const whole = { events: ['data: a\n\n', `${mark}data: b\n\n`], rest: '' };
    for (let cut = 0; cut < 6; cut++) expect(split([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(whole);
    expect(split(bytesOf(`${mark}data: [DONE]`))).toEqual({ events: [], rest: 'data: [DONE]' });
  });

  it('gives the same events however the stream is cut', () => {
    const piece = fc.constantFrom('\n', '\r', '\r\n', 'data: x', ':', 'é€🎉', 'event: y', ' ');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 12 }), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(''));
        const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const chunks = borders.slice(1).map((border, index) => bytes.subarray(borders[index], border));
        const whole = split([bytes]);
        expect(split(chunks)).toEqual(whole);
        expect(whole.events.join('') + whole.rest).toBe(bytes.toString('latin1'));
      }),
      { numRuns: 2000 },
    );
  });

  it('gives up on an event above its limit, in one chunk or in many', () => {
    const line = Buffer.alloc(64 * 1024, 0x61);
    const splitter = new SseSplitter(() => undefined);
    expect(() => {
      for (let sent = 0; sent <= MAX_EVENT_BYTES; sent += line.length) splitter.push(line);
    }).toThrow(EventTooLarge);
    const whole = Buffer.concat([Buffer.alloc(MAX_EVENT_BYTES, 0x61), Buffer.from('\n\n')]);
    expect(() => new SseSplitter(() => undefined).push(whole)).toThrow(EventTooLarge);
  });
});

describe('eventData', () => {
  it.each([
    ['data: {"a":1}\n\n', '{"a":1}'],
    ['data:x\r\ndata: y\r\n\r\n', 'x\ny'],
    ['event: e\nid: 1\n\n', undefined],
    [': comment\n\n', undefined],
    ['data\n\n', ''],
  ])('of %j is %j', (event, data) => {
    expect(eventData(Buffer.from(event))).toBe(data);
  });
});
