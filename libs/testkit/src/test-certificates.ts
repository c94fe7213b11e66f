import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Certificates that a test makes for itself and throws away; made by `openssl`, which knows how. */
export class TestCertificates {
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-certificates-'));

  /** @returns whether there is an openssl to make them with. */
  static available(): boolean {
    try {
      execFileSync('openssl', ['version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  }

  /** Makes an authority of this name. */
  authority(name: string): void {
    this.openssl('req', '-x509', ...this.newKey(name), '-out', `${name}.crt`, '-days', '30', '-subj', `/CN=${name}`);
  }

  /** Makes a certificate that an authority has signed; written over one of the same name. @param hosts names or addresses */
  issue(name: string, authority: string, hosts: readonly string[], days = 30): void {
    this.openssl('req', '-new', ...this.newKey(name), '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const names = hosts.map((host) => `${/^[\d.]+$|:/.test(host) ? 'IP' : 'DNS'}:${host}`);
    writeFileSync(this.path(`${name}.ext`), names.length > 0 ? `subjectAltName=${names.join(',')}\n` : '');
    const signing = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-days', `${days}`];
    this.openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-extfile', `${name}.ext`, '-out', `${name}.crt`);
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  read(file: string): Buffer {
    return readFileSync(this.path(file));
  }

  /** As a configuration refers to a file. */
  reference(file: string): string {
    return `\${file:${this.path(file)}}`;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private newKey(name: string): string[] {
    return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`];
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'ignore' });
  }
}
