import type { ServerDuplexStream } from '@grpc/grpc-js';

/**
 * Serves one long-lived `Decide` stream. While the peer does not take answers (`write` says so) no further batch is read, so
 * that a slow peer holds memory for what it has asked, not for what it will ask.
 * @param onBatch is given each batch and a function that sends one reply; sending after the stream ended does nothing.
 */
export function serveDecide<Batch, Reply>(
  call: ServerDuplexStream<Batch, Reply>,
  onBatch: (batch: Batch, send: (reply: Reply) => void) => void,
): void {
  let open = true;
  const send = (reply: Reply): void => {
    if (open && !call.write(reply)) call.pause();
  };
  const close = (): void => {
    open = false;
  };
  call.on('data', (batch: Batch) => onBatch(batch, send));
  call.on('drain', () => call.resume());
  // The peer asks nothing more. What this turn has answered still goes out; what is answered later has no reader.
  call.on('end', () =>
    setImmediate(() => {
      close();
      call.end();
    }),
  );
  call.on('cancelled', close);
  call.on('error', close);
}

/**
 * Gathers the answers of one turn of the event loop and hands them on together, as one message. Adds no timer: a batch is
 * what has gathered when the turn ends.
 */
export function batchReplies<Answer>(flush: (answers: Answer[]) => void): (answer: Answer) => void {
  let gathered: Answer[] = [];
  const hand = (): void => {
    const answers = gathered;
    gathered = [];
    flush(answers);
  };
  return (answer) => {
    if (gathered.push(answer) === 1) setImmediate(hand);
  };
}
