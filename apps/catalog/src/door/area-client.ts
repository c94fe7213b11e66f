import type { Readable } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';

/** What is sent on to an area. */
export interface AreaRequest {
  readonly method: string;
  /** Path and query as received. */
  readonly path: string;
  readonly headers: Record<string, string | string[]>;
  readonly body?: Readable;
  readonly signal?: AbortSignal;
}

const TIMES = {
  /** Until the connection stands: services are near, or not there. */
  connectTimeout: 2_000,
  /** Until the answer begins: the longest report a service makes in line. */
  headersTimeout: 35_000,
  /** Between two pieces of an answer: live tails send a comment well before. */
  bodyTimeout: 120_000,
};

/** Connections to the private admin listener of one area, over TCP or a unix socket. */
export class AreaClient {
  private readonly pool: Pool;

  /** @param target `http://host:port` or `unix:/path` */
  constructor(target: string) {
    const { connectTimeout, ...times } = TIMES;
    const socketPath = target.startsWith('unix:') ? target.slice('unix:'.length) : undefined;
    this.pool = new Pool(socketPath === undefined ? target : 'http://localhost', {
      ...times,
      connections: 32,
      pipelining: 1,
      connect: { timeout: connectTimeout, ...(socketPath !== undefined && { socketPath }) },
    });
  }

  /**
   * A reading that meets a kept connection in the moment in which the service closes it is sent once more (RFC 9112 §9.3.1).
   * @throws what the transport throws when the service does not answer.
   */
  async request({ method, path, headers, body, signal }: AreaRequest): Promise<Dispatcher.ResponseData> {
    const send = () => this.pool.request({ method, path, headers, body, signal });
    if (method !== 'GET' || body !== undefined) return send();
    return send().catch((error: unknown) => {
      if (!isClosedConnection(error)) throw error;
      return send();
    });
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}

function isClosedConnection(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}
