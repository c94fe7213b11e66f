import { EventEmitter } from 'node:events';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { batchReplies, serveDecide } from './decide';

/** A stream whose peer takes `room` answers before it must drain. */
class FakeCall extends EventEmitter {
  readonly written: number[] = [];
  paused = false;
  ended = false;
  constructor(public room: number) {
    super();
  }
  write(reply: number): boolean {
    this.written.push(reply);
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
}

const asCall = (call: FakeCall) => call as unknown as ServerDuplexStream<number, number>;

describe('a Decide stream', () => {
  it('stops reading while the peer does not take answers, and goes on when it does', () => {
    const call = new FakeCall(2);
    serveDecide<number, number>(asCall(call), (batch, send) => send(batch * 2));
    call.emit('data', 1);
    expect(call.paused).toBe(false);
    call.emit('data', 2);
    expect(call.paused).toBe(true);
    call.emit('drain');
    expect(call.paused).toBe(false);
    expect(call.written).toEqual([2, 4]);
  });

  it('sends what the last turn answered, then ends', async () => {
    const call = new FakeCall(10);
    serveDecide<number, number>(asCall(call), (batch, send) => setImmediate(() => send(batch)));
    call.emit('data', 1);
    call.emit('end');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(call.written).toEqual([1]);
    expect(call.ended).toBe(true);
  });

  it('sends nothing to a peer that is gone', () => {
    const call = new FakeCall(10);
    let late: (reply: number) => void = () => {};
    serveDecide<number, number>(asCall(call), (_, send) => (late = send));
    call.emit('data', 1);
    call.emit('cancelled');
    late(1);
    expect(call.written).toEqual([]);
  });
});

describe('answers', () => {
  it('of one turn go out together, those of the next turn by themselves', async () => {
    const messages: number[][] = [];
    const answer = batchReplies<number>((answers) => messages.push(answers));
    answer(1);
    answer(2);
    await new Promise(setImmediate);
    answer(3);
    await new Promise(setImmediate);
    expect(messages).toEqual([[1, 2], [3]]);
  });
});
