import { aiV1, type Clock } from '@sallyport/contracts';
import { LEASE_MS, type Credentials } from './credentials';

interface Sent {
  readonly generation: number;
  readonly expiresAt: number;
}

/** What one ingress has been leased over its stream, so that a lease comes before the first plan that names it. */
export class LeaseBook {
  private readonly sent = new Map<string, Sent>();

  constructor(
    private readonly credentials: Credentials,
    private readonly clock: Clock,
  ) {}

  /** Leases that have to go out with a plan. */
  leasesFor(plan: aiV1.RoutePlan): aiV1.CredentialLease[] {
    const due: aiV1.CredentialLease[] = [];
    for (const { credential } of plan.attempts) {
      if (credential !== '' && this.isDue(credential)) due.push(this.write(credential));
    }
    return due;
  }

  /** Everything leased so far, anew; a credential that is gone is taken back. */
  renewals(): aiV1.CredentialLease[] {
    return Array.from(this.sent.keys(), (id) => this.write(id));
  }

  private isDue(id: string): boolean {
    const sent = this.sent.get(id);
    if (!sent || sent.generation !== this.credentials.generation(id)) return true;
    return sent.expiresAt - this.clock.now() < LEASE_MS / 2;
  }

  private write(id: string): aiV1.CredentialLease {
    const lease = this.credentials.lease(id);
    const generation = this.credentials.generation(id);
    if (lease) this.sent.set(id, { generation, expiresAt: lease.expiresAt });
    else this.sent.delete(id);
    return {
      id,
      generation,
      kind: aiV1.AuthKind.AUTH_KIND_BEARER,
      // Nothing stands for "taken back".
      secret: Buffer.from(lease?.secret ?? ''),
      expiresAtMs: BigInt(lease?.expiresAt ?? 0),
    };
  }
}
