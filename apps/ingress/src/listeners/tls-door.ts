import { constants as cryptoConstants, type X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Server, TlsOptions, TLSSocket } from 'node:tls';
import type { Certificates } from './certificates';
import type { ClientCertificate, Connection } from './connection';
import type { Http2Sessions } from './http2-session';
import type { TlsSettings } from './listeners-file';

/** What did not come about, for a counter: the text of OpenSSL may hold what the client sent. */
export type TlsFailure = 'handshake' | 'client-certificate';

export interface TlsDoorOptions {
  readonly settings: TlsSettings;
  readonly certificates: Certificates;
  /** What every connection of the listener has in common. */
  readonly connection: Connection;
  onFailure(what: TlsFailure, error: Error): void;
}

/** The TLS side of one listener: who may come in, with which certificate, and what is known of each connection then. */
export class TlsDoor {
  private readonly connections = new WeakMap<Socket, Connection>();

  constructor(private readonly door: TlsDoorOptions) {}

  get options(): TlsOptions {
    const { settings, certificates, connection } = this.door;
    return {
      ...certificates.options,
      SNICallback: (host, done) => {
        // Whatever a client calls us, and whatever goes wrong with that, is no reason to fail (CVE-2026-21637).
        try {
          done(null, certificates.contextFor(host));
        } catch {
          done(null);
        }
      },
      requestCert: settings.clientCertificate !== 'none',
      rejectUnauthorized: settings.clientCertificate === 'required',
      handshakeTimeout: connection.limits.headersMs,
      // RFC 9113 §9.2.1 forbids it, and to everybody else it is a way to make us compute.
      secureOptions: cryptoConstants.SSL_OP_NO_RENEGOTIATION,
    };
  }

  connectionOf(socket: Socket): Connection {
    return this.connections.get(socket) ?? this.door.connection;
  }

  /** Puts itself between the end of a handshake and the first request. */
  guard(server: Server, serveHttp1: (socket: TLSSocket) => void, http2: Http2Sessions | undefined): void {
    server.on('secureConnection', (socket: TLSSocket) => {
      const connection = this.judge(socket, socket.alpnProtocol === 'h2');
      if (!connection) return void socket.destroy();
      this.connections.set(socket, connection);
      if (connection.http2 && http2) http2.accept(socket, connection);
      else serveHttp1(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      this.door.onFailure('handshake', error);
      socket.destroy();
    });
  }

  /** Puts certificates in force that were read anew; connections that stand keep theirs. */
  renew(server: Server): void {
    server.setSecureContext(this.door.certificates.options);
  }

  /** @returns undefined for a certificate that nobody vouches for: optional means that it may be missing, not that it may be bad. */
  private judge(socket: TLSSocket, http2: boolean): Connection | undefined {
    const shown = this.door.settings.clientCertificate === 'none' ? undefined : socket.getPeerX509Certificate();
    if (shown && !socket.authorized) {
      this.door.onFailure('client-certificate', socket.authorizationError);
      return undefined;
    }
    if (!shown && !http2) return this.door.connection;
    return { ...this.door.connection, http2, clientCertificate: shown && clientCertificateOf(shown) };
  }
}

function clientCertificateOf(shown: X509Certificate): ClientCertificate {
  const fingerprint = shown.fingerprint256.replaceAll(':', '').toLowerCase();
  return Object.freeze({
    fingerprint,
    thumbprint: Buffer.from(fingerprint, 'hex').toString('base64url'),
    // Node prints one attribute a line, the widest first.
    subject: shown.subject.split('\n').reverse().join(','),
    issuer: shown.issuer.split('\n').reverse().join(','),
    serial: shown.serialNumber.toLowerCase(),
    alternativeNames: shown.subjectAltName?.split(', ') ?? [],
    notAfter: Date.parse(shown.validTo),
  });
}
