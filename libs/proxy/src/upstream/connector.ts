import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { AddressNotAllowed, guardedLookup, isAddressAllowed, type Lookup } from '../address-guard';
import type { UpstreamOrigin } from '../pool';
import { TlsFiles } from './tls-files';

/** Why there is no connection; `code` tells the kinds apart. */
export class ConnectError extends Error {
  constructor(
    readonly code: 'SALLYPORT_CONNECT_TIMEOUT' | 'SALLYPORT_ALPN' | 'SALLYPORT_NO_CONNECTION' | 'SALLYPORT_FULL',
    message: string,
  ) {
    super(message);
    this.name = 'ConnectError';
  }
}

export function notInTime(connectMs: number): ConnectError {
  return new ConnectError('SALLYPORT_CONNECT_TIMEOUT', `no connection within ${connectMs} ms`);
}

export type Connected = (error: Error | undefined, socket?: Socket) => void;

/** Takes what a connection brings; the bytes are its own. */
export type OnRead = (bytes: Buffer) => void;

/**
 * What every connection is read into, one after the other: it is copied out before anything else is read, so that a read
 * costs the bytes it brought and no buffer of the size that it might have brought.
 *
 * What it brings waits for its client, and is old by then where that one is slow. With 64 KiB two hundred slow readers of
 * large answers cost 192 to 219 MB, with 48 KiB 135 to 158, and a megabyte of such an answer a tenth more processor time.
 */
const READ_INTO = Buffer.allocUnsafeSlow(48 * 1024);

/**
 * Opens connections to one origin: to addresses that were checked and no other, over TLS where the origin is https.
 * Verification is never off; a server that shows a name other than the one asked for is not connected to.
 */
export class Connector {
  private readonly host: string;
  private readonly port: number;
  private readonly encrypted: boolean;
  private readonly serverName: string;
  private readonly files: TlsFiles | undefined;
  private context: SecureContext | undefined;
  /** Resumes what the last connection agreed on; a client certificate is shown once for all that follows. */
  private session: Buffer | undefined;

  /**
   * @param protocol what is to be spoken, as ALPN names it (RFC 7301)
   * @throws TypeError for a URL that is not one of http or https
   */
  constructor(
    private readonly origin: UpstreamOrigin,
    private readonly lookup: Lookup,
    private readonly protocol: 'http/1.1' | 'h2',
  ) {
    const url = new URL(origin.url);
    // Without a host, Node would connect to this machine.
    if (!/^https?:$/.test(url.protocol) || url.hostname === '') throw new TypeError(`no way to ${url.protocol}`);
    this.host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    this.encrypted = url.protocol === 'https:';
    this.port = url.port === '' ? (this.encrypted ? 443 : 80) : Number(url.port);
    // RFC 6066 §3: an address is no server name.
    this.serverName = origin.tls?.serverName ?? (isIP(this.host) ? '' : this.host);
    if (this.encrypted) this.files = new TlsFiles(origin.tls ?? {});
  }

  /**
   * @param done called once, never before this returns.
   * @param onRead takes all bytes of the connection, in place of its `data` event; never called before `done`.
   * @param connectMs how long it is tried, in milliseconds
   * @returns gives up; then `done` is not called.
   */
  connect(done: Connected, onRead?: OnRead, connectMs = this.origin.connectMs): () => void {
    const { host, origin } = this;
    // Nobody looks a literal address up, so it is checked here.
    if (isIP(host) && !isAddressAllowed(host, origin.allowPrivate))
      return later(done, new AddressNotAllowed(host, [host]));
    let socket: Socket;
    try {
      socket = this.open(onRead);
    } catch (error) {
      return later(done, error as Error);
    }
    return this.follow(socket, done, connectMs);
  }

  private open(onRead: OnRead | undefined): Socket {
    const { host, port, origin } = this;
    const lookup = guardedLookup(this.lookup, origin.allowPrivate);
    const where = {
      host,
      port,
      lookup,
      autoSelectFamily: true,
      noDelay: true,
      keepAlive: true,
      ...(onRead && { onread: { buffer: READ_INTO, callback: (length: number) => copyOut(length, onRead) } }),
    };
    if (!this.encrypted) return connectTcp(where);
    const context = this.files!.read();
    if (context !== this.context) this.session = undefined;
    this.context = context;
    const socket = connectTls({
      ...where,
      servername: this.serverName,
      secureContext: context,
      minVersion: 'TLSv1.2',
      ALPNProtocols: [this.protocol],
      ...(this.session && { session: this.session }),
    });
    socket.on('session', (session) => (this.session = session));
    return socket;
  }

  private follow(socket: Socket, done: Connected, connectMs: number): () => void {
    let settled = false;
    const settle = (error: Error | undefined): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.off('error', settle);
      if (error) socket.on('error', () => undefined).destroy();
      done(error, error ? undefined : socket);
    };
    const timer = setTimeout(() => settle(notInTime(connectMs)), connectMs);
    socket.once('error', settle);
    socket.once('close', () => settle(new ConnectError('SALLYPORT_NO_CONNECTION', 'closed while it was being made')));
    socket.once(this.encrypted ? 'secureConnect' : 'connect', () => settle(this.fault(socket)));
    return () => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.on('error', () => undefined).destroy();
    };
  }

  /** What is wrong with a connection that stands. */
  private fault(socket: Socket): Error | undefined {
    const address = socket.remoteAddress ?? '';
    if (!isAddressAllowed(address, this.origin.allowPrivate)) return new AddressNotAllowed(this.host, [address]);
    if (this.protocol === 'h2' && this.encrypted && (socket as TLSSocket).alpnProtocol !== 'h2')
      return new ConnectError('SALLYPORT_ALPN', 'the upstream does not speak HTTP/2');
    return undefined;
  }
}

/** @returns that the connection is to be read on. */
function copyOut(length: number, onRead: OnRead): true {
  const bytes = Buffer.allocUnsafe(length);
  READ_INTO.copy(bytes, 0, 0, length);
  onRead(bytes);
  return true;
}

function later(done: Connected, error: Error): () => void {
  const immediate = setImmediate(done, error);
  return () => clearImmediate(immediate);
}
