import { createServer, type Server, type Socket } from 'node:net';

export const END_STREAM = 1;
export const END_HEADERS = 4;

const NOTHING = Buffer.alloc(0);

/** A frame, as RFC 9113 §4.1 writes it. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = NOTHING): Buffer {
  const header = Buffer.alloc(9);
  header.writeUInt32BE((payload.length << 8) | type);
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** An upstream that answers the first request of each connection with these frames. @param sockets where its own are kept */
export function answering(frames: readonly Buffer[], sockets: Set<Socket>): Server {
  return createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write(frame(4, 0, 0));
    let seen = Buffer.alloc(0);
    const read = (bytes: Buffer): void => {
      seen = Buffer.concat([seen, bytes]);
      if (!hasAsked(seen)) return;
      socket.off('data', read).resume();
      socket.write(Buffer.concat(frames));
    };
    socket.on('data', read);
  });
}

/** Whether a client has asked for something: behind its preface stands a frame of fields. */
function hasAsked(bytes: Buffer): boolean {
  let at = 24;
  while (at + 9 <= bytes.length && bytes[at + 3] !== 1) at += 9 + bytes.readUIntBE(at, 3);
  return at + 9 <= bytes.length;
}
