import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { headers } from '@sallyport/contracts';
import { startProduct, type Product } from '../../e2e/product';
import { originAnswer } from './origin';
import { testSettings } from './settings';
import type { RulesUnderTest, Target } from './target';
import type { Observation } from './verdict';

/** Connections at a time. */
const CONNECTIONS = 8;
/** Whoever waits longer for an answer never gets one, or sent less than announced and has to say that nothing follows. */
const PATIENCE_MS = 5_000;
const MARKER = 'X-CRS-TEST';
const RESPONSE_TYPES = ['text/plain', 'text/html', 'text/xml', 'application/json'];

interface RawAnswer {
  /** Latin1; empty where nothing came. */
  readonly text: string;
  readonly requestId: string;
}

/**
 * The product as one process, with an origin behind it, asked over TCP. Hits are read from its log of rules, by the id of the
 * request that the answer bears: so a request carries nothing that its test did not write.
 */
export class LiveTarget implements Target {
  private marks = 0;

  private constructor(
    private readonly product: Product,
    private readonly origin: Server,
    private readonly folder: string,
  ) {}

  static async start(under: RulesUnderTest): Promise<LiveTarget> {
    const folder = ruleFolderOf(under);
    const origin = await startOrigin();
    try {
      const environment = { SALLYPORT_CRS_DIR: folder, SALLYPORT_WAF_TEST_MODE: '1', SALLYPORT_DEMO: 'off' };
      const product = await startProduct('all-in-one', { environment });
      const target = new LiveTarget(product, origin, folder);
      await product.publish({ services: [serviceOf(origin, under.paranoia)] });
      return target;
    } catch (error) {
      origin.close();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async observe(requests: readonly Buffer[]): Promise<Observation[]> {
    const answers: RawAnswer[] = [];
    let next = 0;
    const ask = async (): Promise<void> => {
      for (let at = next++; at < requests.length; at = next++) answers[at] = await this.send(requests[at]!);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, ask));
    const log = await this.readLog();
    return answers.map(({ text, requestId }) => ({
      status: statusOf(text),
      response: text,
      log: log.get(requestId) ?? [],
    }));
  }

  async close(): Promise<void> {
    this.origin.close();
    await this.product.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private send(bytes: Buffer): Promise<RawAnswer> {
    const { hostname, port } = new URL(this.product.ingressUrl);
    return new Promise((settle) => {
      let text = '';
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () => socket.write(bytes));
      const end = (): void => void socket.end();
      const timers = [setTimeout(end, PATIENCE_MS), setTimeout(() => socket.destroy(), 2 * PATIENCE_MS)];
      socket.setEncoding('latin1');
      socket.on('data', (chunk: string) => {
        text += chunk;
        if (isWhole(text)) socket.destroy();
      });
      socket.on('end', () => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('close', () => {
        timers.forEach(clearTimeout);
        settle({ text, requestId: fieldOf(text, headers.requestId) });
      });
    });
  }

  /** @returns lines by the id of their request, once a mark made now is among them */
  private async readLog(): Promise<Map<string, string[]>> {
    const mark = `conformance-${process.pid}-${++this.marks}`;
    const file = join(this.product.folder, 'data', 'waf.log');
    for (let tries = 0; tries < 50; tries++) {
      await this.send(
        Buffer.from(`GET / HTTP/1.1\r\nHost: localhost\r\n${MARKER}: ${mark}\r\nConnection: close\r\n\r\n`),
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
      const text = readFileSync(file, 'latin1');
      if (text.includes(mark)) return linesById(text);
    }
    throw new Error(`the mark ${mark} does not come into the log of rules`);
  }
}

/** A release as the product expects one, with the settings of the tests behind its setup. */
function ruleFolderOf({ rules, setup }: RulesUnderTest): string {
  const folder = mkdtempSync(join(tmpdir(), 'sp-crs-'));
  symlinkSync(resolve(rules), join(folder, 'rules'));
  const settings = Object.entries(testSettings).map(([name, value]) => `setvar:'tx.${name}=${value}'`);
  const own = `SecAction "id:7799001,phase:1,pass,nolog,t:none,${settings.join(',')}"\n`;
  writeFileSync(
    join(folder, 'crs-setup.conf'),
    `${setup === undefined ? '' : readFileSync(setup, 'latin1')}\n${own}`,
    'latin1',
  );
  return folder;
}

async function startOrigin(): Promise<Server> {
  const origin = createServer({ maxHeaderSize: 64 * 1024 }, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { status, headers: fields, body } = originAnswer(incoming.method!, incoming.url!, Buffer.concat(chunks));
      response.writeHead(status, fields.flat()).end(body);
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  return origin;
}

function serviceOf(origin: Server, paranoia: number) {
  const { port } = origin.address() as AddressInfo;
  return {
    name: 'anything',
    path: '/',
    upstream: { targets: [{ url: `http://127.0.0.1:${port}` }], allowPrivate: true },
    auth: { anonymous: true },
    waf: {
      profile: 'own' as const,
      mode: 'detect' as const,
      paranoia: { detect: paranoia, block: paranoia },
      response: { inspect: true, types: RESPONSE_TYPES },
    },
  };
}

function statusOf(text: string): number | undefined {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  return status === undefined ? undefined : Number(status);
}

function fieldOf(text: string, name: string): string {
  const head = text.slice(0, text.indexOf('\r\n\r\n') + 2);
  return new RegExp(`\\r\\n${name}: ([^\\r]*)\\r\\n`, 'i').exec(head)?.[1] ?? '';
}

/** Whether an answer is complete; one that is framed by the end of its connection never is. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  if (/^HTTP\/1\.1 (1\d\d|204|304)/.test(text)) return !text.startsWith('HTTP/1.1 1');
  const length = fieldOf(text, 'content-length');
  return length === '' ? text.endsWith('\r\n0\r\n\r\n') : text.length >= end + 4 + Number(length);
}

function linesById(text: string): Map<string, string[]> {
  const lines = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const id = /\[unique_id "([^"]*)"\]/.exec(line)?.[1];
    if (id !== undefined) lines.set(id, [...(lines.get(id) ?? []), line]);
  }
  return lines;
}
