// Finds ports for products that the tools start. Below the range of outgoing connections, where no connection of somebody
// else can take a port between the moment it is found and the moment it is bound; and none of those that `fetch` refuses to
// speak to (Fetch, §2.9), of which 4190 and 5060 are the nearest.
import { createServer } from 'node:net';

const FIRST = 4_200;
const SPAN = 850;
let next = Math.floor(Math.random() * SPAN);

/** @returns {Promise<string[]>} ports on 127.0.0.1 that nobody listens on, as environment variables want them. */
export async function freePorts(count) {
  const found = [];
  for (let tried = 0; found.length < count && tried < SPAN; tried++) {
    const port = FIRST + (next++ % SPAN);
    if (await isFree(port)) found.push(String(port));
  }
  if (found.length < count) throw new Error(`no ${count} free ports between ${FIRST} and ${FIRST + SPAN}`);
  return found;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
