import * as fc from 'fast-check';
import { acceptOf, closeFrame, controlFrame, FrameGate, handshakeRefusal, type ControlFrame } from './websocket';

const MASK = Uint8Array.of(1, 2, 3, 4);
const MOST = 1_000;

function frame(
  opcode: number,
  payload: Buffer | number,
  more: { mask?: boolean; final?: boolean; rsv?: number } = {},
): Buffer {
  const { mask = true, final = true, rsv = 0 } = more;
  const body = typeof payload === 'number' ? Buffer.alloc(payload, 0x61) : Buffer.from(payload);
  const length =
    body.length < 126 ? Buffer.from([body.length]) : Buffer.from([126, body.length >> 8, body.length & 255]);
  if (mask) {
    length[0]! |= 0x80;
    for (let at = 0; at < body.length; at++) body[at]! ^= MASK[at & 3]!;
  }
  const first = Buffer.from([(final ? 0x80 : 0) | rsv | opcode]);
  return Buffer.concat(mask ? [first, length, MASK, body] : [first, length, body]);
}

function through(chunks: readonly Buffer[], masked = true) {
  const passed: Buffer[] = [];
  const seen: [ControlFrame, string][] = [];
  const gate = new FrameGate(masked, MOST, {
    onData: (bytes) => void passed.push(Buffer.from(bytes)),
    onControl: (kind, payload, bytes) => {
      seen.push([kind, payload.toString('latin1')]);
      passed.push(bytes);
    },
  });
  let fault;
  for (const chunk of chunks) fault ??= gate.push(chunk);
  return { passed: Buffer.concat(passed), controls: seen, fault, gate };
}

describe('the frames of a WebSocket', () => {
  it('pass as they came, however they are cut', () => {
    const data = fc.record({ length: fc.integer({ min: 0, max: 900 }), parts: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(fc.array(data, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 40 })), (messages, cuts) => {
        const bytes = Buffer.concat(
          messages.flatMap(({ length, parts }) => [
            ...Array.from({ length: parts }, (_, at) =>
              frame(at === 0 ? 2 : 0, Math.floor(length / parts), { final: at === parts - 1 }),
            ),
            frame(9, Buffer.from('hi')),
          ]),
        );
        const chunks = [];
        let at = 0;
        for (const cut of cuts) chunks.push(bytes.subarray(at, (at += cut)));
        chunks.push(bytes.subarray(at));
        const { passed, fault, controls, gate } = through(chunks);
        expect([fault, passed.equals(bytes), gate.atBoundary]).toEqual([undefined, true, true]);
        expect(controls).toEqual(messages.map(() => ['ping', 'hi']));
      }),
    );
  });

  it.each<[string, Buffer[], number]>([
    ['a client does not mask', [frame(1, 5, { mask: false })], 1002],
    ['a bit of an extension is set', [frame(1, 5, { rsv: 0x40 })], 1002],
    ['the opcode is reserved', [frame(3, 5)], 1002],
    ['a control opcode is reserved', [frame(11, 5)], 1002],
    ['nothing is continued', [frame(0, 5)], 1002],
    ['a message begins within another', [frame(1, 5, { final: false }), frame(1, 5)], 1002],
    ['a ping is in parts', [frame(9, 5, { final: false })], 1002],
    ['a ping is long', [frame(9, 126)], 1002],
    ['a close code is half', [frame(8, 1)], 1002],
    ['something follows the end', [frame(8, 0), frame(1, 1)], 1002],
    ['a length is longer than it must be', [Buffer.from([0x81, 0xfe, 0, 5, 1, 2, 3, 4])], 1002],
    ['a length is beyond all numbers', [Buffer.from([0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])], 1002],
    ['a message is too big', [frame(2, MOST + 1)], 1009],
    ['the parts of a message together are too big', [frame(2, 600, { final: false }), frame(0, 600)], 1009],
    ['a message says it will be a terabyte', [Buffer.from([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4])], 1009],
  ])('are refused when %s, and nothing of the wrong one passes', (_, frames, code) => {
    const { fault, passed } = through(frames);
    expect([fault?.code, passed.length]).toEqual([code, Buffer.concat(frames.slice(0, -1)).length]);
  });

  it('of a server must not be masked', () => {
    expect(through([frame(1, 5)], false).fault?.code).toBe(1002);
    expect(through([frame(1, 5, { mask: false })], false).fault).toBeUndefined();
  });

  it('may bring a message of any number of bytes up to the limit, between which others count anew', () => {
    expect(
      through([frame(2, MOST), frame(2, MOST), frame(2, 500, { final: false }), frame(0, 500)]).fault,
    ).toBeUndefined();
  });

  it('of our own are read by a gate as what they say', () => {
    const bytes = [
      controlFrame('ping', Buffer.from('a'), MASK),
      closeFrame({ code: 1001, reason: 'ä'.repeat(99) }, MASK),
    ];
    const { controls, fault } = through(bytes);
    expect(fault).toBeUndefined();
    expect(controls[0]).toEqual(['ping', 'a']);
    expect([controls[1]![1].charCodeAt(0) * 256 + controls[1]![1].charCodeAt(1), controls[1]![1].length]).toEqual([
      1001, 125,
    ]);
  });

  it('never make the gate throw, whatever they are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void through([Buffer.from(bytes)])));
  });
});

describe('the handshake', () => {
  const fields = (changes: object) =>
    new Map(
      Object.entries({ 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...changes }),
    );

  it('answers a key as the example of RFC 6455 §1.3 does', () => {
    expect(acceptOf('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  it('needs the version and a key of sixteen bytes', () => {
    expect(handshakeRefusal(fields({}))).toBeUndefined();
    const old = handshakeRefusal(fields({ 'sec-websocket-version': '8' }));
    expect(old).toMatchObject({ code: 'WEBSOCKET_VERSION_UNSUPPORTED', params: { version: '13' } });
    for (const key of ['', 'short', 'dGhlIHNhbXBsZSBub25jZR==', 'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=='])
      expect(handshakeRefusal(fields({ 'sec-websocket-key': key }))).toMatchObject({ code: 'REQUEST_MALFORMED' });
  });
});
