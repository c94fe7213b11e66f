import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ListenError, type Closable } from '@sallyport/platform';
import type { RunningAuth } from '../../auth/src';
import type { RunningCatalog } from '../../catalog/src';

/** What the demo has set up already, kept in the data folder. */
const MARK = 'demo.json';
const mark = z.object({ port: z.int() });

/** The demo key's limit: enough to try, little enough to meet. */
const KEY_LIMIT = { limit: 60, window: '1m' } as const;

export interface Demo extends Closable {
  /** The key, when this start has made it. */
  readonly apiKey: string | undefined;
  /** The revision that serves the demo API, when this start has published it. */
  readonly revision: string | undefined;
  readonly limit: string;
}

export interface DemoOptions {
  readonly port: number;
  readonly dataDir: string;
  readonly auth: RunningAuth;
  readonly catalog: RunningCatalog;
}

/**
 * Starts the demo API. The first start publishes it at `/orders` and makes a key; a later one publishes again only when
 * the port has changed, so that whatever an operator did to the demo stays done.
 * @throws ListenError when its port is taken.
 */
export async function startDemo({ port, dataDir, auth, catalog }: DemoOptions): Promise<Demo> {
  const server = await startOrders(port);
  try {
    const before = await readMark(dataDir);
    const published =
      before?.port === port ? undefined : await catalog.apply(demoDocument(port), { name: 'system', via: 'file' });
    const minted = before
      ? undefined
      : await auth.mintKey({ name: 'demo', services: ['*'], models: ['*'], rate: KEY_LIMIT });
    await writeMark(dataDir, { port });
    return {
      apiKey: minted?.key,
      revision: published?.revision,
      limit: `${KEY_LIMIT.limit} requests a minute`,
      close: () => server.close(),
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function startOrders(port: number): Promise<Closable> {
  const { startOrders: start } = await import('@sallyport/example-orders');
  try {
    return await start({ host: '127.0.0.1', port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === undefined ? error : new ListenError({ host: '127.0.0.1', port }, code);
  }
}

function demoDocument(port: number): unknown {
  return {
    sallyport: 1,
    services: [
      {
        name: 'orders',
        version: 'v1',
        description: 'The order book of examples/orders, to try the gateway with.',
        path: '/orders',
        upstream: { targets: [{ url: `http://127.0.0.1:${port}` }], timeout: '5s', allowPrivate: true },
        policies: [{ 'rate-limit': { limit: 100, window: '60s', by: 'consumer' } }],
      },
    ],
  };
}

async function readMark(dataDir: string): Promise<z.infer<typeof mark> | undefined> {
  try {
    return mark.parse(JSON.parse(await readFile(join(dataDir, MARK), 'utf8')));
  } catch {
    return undefined;
  }
}

async function writeMark(dataDir: string, content: z.infer<typeof mark>): Promise<void> {
  const path = join(dataDir, MARK);
  await writeFile(`${path}.new`, JSON.stringify(content));
  await rename(`${path}.new`, path);
}
