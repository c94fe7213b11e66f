import fc from 'fast-check';
import { serverSentEvents } from './server-sent-events';

async function read(...parts: readonly Uint8Array[]) {
  async function* stream() {
    yield* parts;
  }
  const events = [];
  for await (const event of serverSentEvents(stream())) events.push(event);
  return events;
}

const text =
  ':\n\nid: 7\nevent: request.completed\ndata: {"path":"/é"}\n\ndata:one\ndata: two\r\n\r\nevent: none\n\ndata: [DONE]\r\r\ndata: cut';
const events = [
  { event: 'request.completed', data: '{"path":"/é"}' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'message', data: '[DONE]' },
];

describe('a stream of events', () => {
  it('is read with any line end, without comments, and without what was cut off', async () => {
    expect(await read(Buffer.from(text))).toEqual(events);
  });

  it('reads the same however it is cut into pieces', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(Buffer.byteLength(text)), { maxLength: 8 }), async (places) => {
        const bytes = Buffer.from(text);
        const cuts = [0, ...places.sort((left, right) => left - right), bytes.length];
        const parts = cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
        expect(await read(...parts)).toEqual(events);
      }),
    ));

  it('ends when one event has no end', async () => {
    await expect(read(Buffer.alloc(5 * 1024 * 1024, 'x'))).rejects.toThrow('too large');
  });
});
