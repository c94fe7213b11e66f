import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { UpstreamTls } from '@sallyport/contracts';

/** `${file:/path}` → `/path` */
function pathOf(reference: string): string {
  return reference.slice('${file:'.length, -1);
}

/**
 * Certificates and keys of one upstream, as their files say it now. The files are looked at when a connection is opened,
 * which is rare, and read when they have changed; what is wrong while they are being replaced leaves the last good ones
 * in force.
 */
export class TlsFiles {
  private readonly paths: readonly string[];
  private stamp = '';
  private context: SecureContext | undefined;

  constructor(private readonly tls: UpstreamTls) {
    this.paths = [tls.ca, tls.certificate, tls.key].flatMap((reference) => (reference ? [pathOf(reference)] : []));
  }

  /**
   * @returns the same object as long as no file changes.
   * @throws when a file cannot be read or used and there was never a good one; the message names the file, not its content.
   */
  read(): SecureContext {
    try {
      const stamp = this.paths.map(stampOf).join();
      if (!this.context || stamp !== this.stamp) {
        this.context = this.load();
        this.stamp = stamp;
      }
    } catch (error) {
      if (!this.context) throw error;
    }
    return this.context;
  }

  private load(): SecureContext {
    const { ca, certificate, key } = this.tls;
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca && { ca: readFileSync(pathOf(ca)) }),
      ...(certificate && { cert: readFileSync(pathOf(certificate)) }),
      ...(key && { key: readFileSync(pathOf(key)) }),
    });
  }
}

function stampOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${size} ${ino}`;
}
