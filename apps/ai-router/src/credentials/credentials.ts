import type { Clock } from '@sallyport/contracts';
import type { CredentialReference, Lease, LeaseSource } from '@sallyport/ai';
import type { Logger } from '@sallyport/platform';
import { resolveCredential, type CredentialPlaces } from './resolve';

/** Longer than this nobody holds a credential without asking again. */
export const LEASE_MS = 300_000;

interface Held {
  readonly secret: string;
  /** Rises whenever the value changes. */
  readonly generation: number;
}

export interface CredentialsOptions extends CredentialPlaces {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn' | 'info'>;
}

/**
 * The credentials of provider accounts: in the memory of this object, and in the leases it hands out. They are read when
 * a configuration names them and again from time to time, so that a replaced file or variable is noticed.
 */
export class Credentials implements LeaseSource {
  private references: readonly CredentialReference[] = [];
  private readonly held = new Map<string, Held>();
  /** What was complained of, so that it is said once. */
  private readonly missing = new Map<string, string>();

  constructor(private readonly options: CredentialsOptions) {}

  /** Reads what a configuration refers to, and forgets the rest. A credential that is missing stops nothing else. */
  async use(references: readonly CredentialReference[]): Promise<void> {
    this.references = references;
    await this.refresh();
    // Only now: until the new ones are known, plans are made from the configuration before.
    const wanted = new Set(references.map(({ id }) => id));
    for (const id of this.held.keys()) if (!wanted.has(id)) this.held.delete(id);
    for (const id of this.missing.keys()) if (!wanted.has(id)) this.missing.delete(id);
  }

  async refresh(): Promise<void> {
    await Promise.all(this.references.map((reference) => this.read(reference)));
  }

  lease(id: string): Lease | undefined {
    const held = this.held.get(id);
    return held && { id, kind: 'bearer', secret: held.secret, expiresAt: this.options.clock.now() + LEASE_MS };
  }

  /** @returns 0 when there is none. */
  generation(id: string): number {
    return this.held.get(id)?.generation ?? 0;
  }

  private async read({ id, account, reference }: CredentialReference): Promise<void> {
    try {
      const secret = await resolveCredential(reference, this.options);
      const before = this.held.get(id);
      if (before?.secret !== secret) this.held.set(id, { secret, generation: (before?.generation ?? 0) + 1 });
      if (this.missing.delete(id)) this.options.logger.info({ account }, 'the credential of an account is there again');
    } catch (error) {
      this.held.delete(id);
      const reason = (error as Error).message;
      if (this.missing.get(id) === reason) return;
      this.missing.set(id, reason);
      this.options.logger.warn({ account, reason }, 'the credential of an account is missing');
    }
  }
}
