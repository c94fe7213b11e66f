import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsSettings } from './listeners-file';

/** A certificate, key or bundle that cannot be used: which entry of the listener's `tls`, and why. */
export class CertificateError extends Error {
  constructor(
    /** `certificates[0].key` */
    readonly place: string,
    reason: string,
  ) {
    super(`${place}: ${reason}`);
    this.name = 'CertificateError';
  }
}

/** AEAD and forward secrecy only: of TLS 1.2 what RFC 9325 §4.2 recommends, of 1.3 all it has. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** One certificate in force. */
export interface Installed {
  /** First host it is named for in the file, or `default`. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** Everything that was read from disk at one moment; replaced as a whole. */
interface Generation {
  readonly fallback: SecureContext;
  readonly fallbackOptions: SecureContextOptions;
  readonly exact: ReadonlyMap<string, SecureContext>;
  /** By what follows the first label: `.example.com`. */
  readonly wildcard: ReadonlyMap<string, SecureContext>;
  readonly installed: readonly Installed[];
}

/**
 * The certificates of one listener: read from disk, chosen by the name a client asks for, and read again when a file
 * has changed. What cannot be used is never put in force: the ones before stay. One that has expired takes the place only of
 * one that has expired as well: a process that starts has no other, and to serve nobody would take all hosts away for
 * the sake of one, whose clients refuse it themselves.
 */
export class Certificates {
  private generation: Generation;
  private signature: string;

  /** @throws CertificateError */
  constructor(
    private readonly settings: TlsSettings,
    private readonly now: () => number,
  ) {
    this.signature = this.sign();
    this.generation = this.read();
  }

  /** For `tls.createServer`, and after a change for `setSecureContext`: the certificate of clients that name no host. */
  get options(): SecureContextOptions {
    return this.generation.fallbackOptions;
  }

  get installed(): readonly Installed[] {
    return this.generation.installed;
  }

  /** @param host as the client spelled it; anything at all. */
  contextFor(host: string): SecureContext {
    const { exact, wildcard, fallback } = this.generation;
    const name = host.toLowerCase().replace(/\.$/, '');
    const dot = name.indexOf('.');
    // RFC 9525 §6.3: a wildcard stands for one whole label.
    return exact.get(name) ?? (dot > 0 ? wildcard.get(name.slice(dot)) : undefined) ?? fallback;
  }

  /**
   * Reads the files again if one of them has changed since the last time.
   * @returns whether others are in force now.
   * @throws CertificateError when they cannot be used; then nothing has changed, and the same files are not tried again.
   */
  refresh(): boolean {
    const signature = this.sign();
    if (signature === this.signature) return false;
    this.signature = signature;
    this.generation = this.read(this.generation);
    return true;
  }

  private read(before?: Generation): Generation {
    const { settings } = this;
    const now = this.now();
    const ca = settings.clientCa === undefined ? undefined : readBundle(settings.clientCa);
    const exact = new Map<string, SecureContext>();
    const wildcard = new Map<string, SecureContext>();
    const installed: Installed[] = [];
    const contexts = settings.certificates.map((entry, at) => {
      const place = `certificates[${at}]`;
      const { cert, key, leaf } = readPair(entry, place);
      const notAfter = Date.parse(leaf.validTo);
      if (notAfter <= now && before && before.installed[at]!.notAfter > now)
        throw new CertificateError(`${place}.certificate`, `has expired on ${leaf.validTo}`);
      const options: SecureContextOptions = { ...protocol(settings), cert, key, ...(ca && { ca }) };
      const context = usable(`${place}.certificate`, () => createSecureContext(options));
      for (const host of entry.hosts) {
        if (host.startsWith('*.')) wildcard.set(host.slice(1), context);
        else exact.set(host, context);
      }
      installed.push({ name: entry.hosts[0] ?? 'default', notAfter });
      return { context, options };
    });
    const [first] = contexts;
    // A session that was begun under other authorities must not be resumed: its client certificate would go unjudged.
    const ticketKeys = randomBytes(48);
    const fallbackOptions = { ...first!.options, ticketKeys };
    return { fallback: first!.context, fallbackOptions, exact, wildcard, installed };
  }

  /** What tells the files from those of before; a link that leads elsewhere now counts as well. */
  private sign(): string {
    return filesOf(this.settings)
      .map((file) => {
        const found = statSync(file, { throwIfNoEntry: false });
        return found ? `${found.ino} ${found.size} ${found.mtimeMs}` : 'missing';
      })
      .join(', ');
  }
}

function filesOf({ certificates, clientCa }: TlsSettings): string[] {
  const files = certificates.flatMap(({ certificate, key }) => [certificate, key]);
  return clientCa === undefined ? files : [...files, clientCa];
}

function protocol({ minVersion }: TlsSettings): SecureContextOptions {
  return { minVersion: `TLSv${minVersion}`, maxVersion: 'TLSv1.3', ciphers: CIPHERS, honorCipherOrder: true };
}

function readPair(
  { certificate, key }: TlsSettings['certificates'][number],
  place: string,
): { cert: Buffer; key: Buffer; leaf: X509Certificate } {
  const cert = readPem(`${place}.certificate`, certificate);
  const secret = readPem(`${place}.key`, key);
  const leaf = usable(`${place}.certificate`, () => new X509Certificate(cert));
  const privateKey = usable(`${place}.key`, () => createPrivateKey(secret));
  if (!leaf.checkPrivateKey(privateKey))
    throw new CertificateError(`${place}.key`, 'is not the key of the certificate');
  return { cert, key: secret, leaf };
}

function readBundle(file: string): Buffer {
  const bundle = readPem('clientCa', file);
  for (const pem of bundle.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [])
    usable('clientCa', () => new X509Certificate(pem));
  return bundle;
}

function readPem(place: string, file: string): Buffer {
  try {
    const bytes = readFileSync(file);
    if (bytes.includes('-----BEGIN ')) return bytes;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CertificateError(place, `${JSON.stringify(file)} cannot be read (${code ?? 'unknown error'})`);
  }
  throw new CertificateError(place, `${JSON.stringify(file)} is not PEM`);
}

/** What OpenSSL says never holds any part of a key. */
function usable<T>(place: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new CertificateError(place, (error as Error).message);
  }
}
