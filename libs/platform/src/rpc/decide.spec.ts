import { EventEmitter } from 'node:events';
import type { WireWriter } from '@sallyport/contracts';
import { Replies, serveDecide } from './decide';
import type { DecideCall } from './decide-server';

/** A stream whose peer takes `room` replies before it must drain. A message and a reply are numbers in field 1. */
class FakeCall extends EventEmitter implements DecideCall {
  readonly written: number[][] = [];
  paused = false;
  ended = false;
  constructor(public room = 10) {
    super();
  }
  write(reply: Buffer): boolean {
    this.written.push([...reply].filter((_, index) => index % 2 === 1));
    return --this.room > 0;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    this.ended = true;
  }
  receive(...numbers: number[]): void {
    this.emit('data', Buffer.from(numbers.flatMap((number) => [0x08, number])));
  }
}

const write = (writer: WireWriter, number: number): void => writer.present(0x08, number);
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

function serving(call: FakeCall, answer: (number: number, replies: Replies) => void) {
  const replies = new Replies(call);
  const left = jest.fn();
  serveDecide(
    call,
    replies,
    (reader) => {
      while (reader.more) {
        if (reader.varint() !== 0x08) throw new RangeError('not a number');
        answer(reader.varint(), replies);
      }
    },
    left,
  );
  return { replies, left };
}

const echo = (number: number, replies: Replies): void => replies.give(write, number, undefined);

describe('a Decide stream', () => {
  it('answers a batch with one message as soon as it is read', () => {
    const call = new FakeCall();
    serving(call, echo);
    call.receive(1, 2, 3);
    expect(call.written).toEqual([[1, 2, 3]]);
  });

  it('sends what is answered later together at the end of its turn', async () => {
    const call = new FakeCall();
    serving(call, (number, replies) => setImmediate(() => echo(number, replies)));
    call.receive(1, 2);
    expect(call.written).toEqual([]);
    await nextTurn();
    await nextTurn();
    expect(call.written).toEqual([[1, 2]]);
  });

  it('stops reading while the peer does not take answers, and goes on when it does', () => {
    const call = new FakeCall(2);
    serving(call, echo);
    call.receive(1);
    expect(call.paused).toBe(false);
    call.receive(2);
    expect(call.paused).toBe(true);
    call.emit('drain');
    expect(call.paused).toBe(false);
    expect(call.written).toEqual([[1], [2]]);
  });

  it('sends what was answered, then ends, and says once that it is over', () => {
    const call = new FakeCall();
    const { replies, left } = serving(call, () => {});
    echo(7, replies);
    call.emit('end');
    call.emit('close');
    expect(call.written).toEqual([[7]]);
    expect(call.ended).toBe(true);
    expect(left).toHaveBeenCalledTimes(1);
  });

  it('sends nothing to a peer that is gone', async () => {
    const call = new FakeCall();
    const { replies } = serving(call, () => {});
    call.emit('cancelled');
    echo(1, replies);
    await nextTurn();
    expect(call.written).toEqual([]);
  });

  it('ends with a message that does not add up', () => {
    const call = new FakeCall();
    const { left } = serving(call, echo);
    call.emit('data', Buffer.from([0x08, 1, 0x08]));
    expect(call.ended).toBe(true);
    expect(left).toHaveBeenCalledTimes(1);
  });

  it('ends each message with what the service adds', () => {
    const call = new FakeCall();
    const replies = new Replies(call, (writer) => writer.present(0x10, 9));
    replies.during(() => replies.soon());
    replies.during(() => echo(1, replies));
    expect(call.written).toEqual([[9], [1, 9]]);
  });
});
