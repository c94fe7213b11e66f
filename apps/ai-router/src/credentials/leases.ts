import type { aiV1, Clock } from '@sallyport/contracts';
import type { Closable } from '@sallyport/platform';
import type { Credentials } from './credentials';
import { LeaseBook } from './lease-book';

/** Well within the life of a lease, so that an ingress that loses us holds one of four minutes or more. */
const RENEW_MS = 60_000;

type Send = (leases: aiV1.CredentialLease[]) => void;

/** The lease books of all open streams: reads the credentials anew every minute, and renews what is leased. */
export class Leases implements Closable {
  private readonly books = new Map<LeaseBook, Send>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly credentials: Credentials,
    private readonly clock: Clock,
  ) {
    this.timer = setInterval(() => void this.renew(), RENEW_MS);
    this.timer.unref();
  }

  /** @param send hears renewals of what the book has leased. */
  open(send: Send): LeaseBook {
    const book = new LeaseBook(this.credentials, this.clock);
    this.books.set(book, send);
    return book;
  }

  /** Its stream has ended. */
  leave(book: LeaseBook): void {
    this.books.delete(book);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.books.clear();
  }

  /** Never rejects: a credential that cannot be read is one that is missing. */
  async renew(): Promise<void> {
    await this.credentials.refresh();
    for (const [book, send] of this.books) {
      const renewals = book.renewals();
      if (renewals.length > 0) send(renewals);
    }
  }
}
