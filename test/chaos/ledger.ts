/** Who calls: what the credential is worth, by which the oracle judges the answer. */
export type CredentialKind =
  | 'allowed'
  /** Good, of a consumer with little room: 200 or 429. */
  | 'limited'
  | 'revoked'
  | 'absent'
  /** Well formed and never minted. */
  | 'unknown'
  /** Good, without the scope that the route asks for. */
  | 'wrong-scope'
  /** Good, for another service. */
  | 'wrong-service';

export const deniedKinds: readonly CredentialKind[] = ['revoked', 'absent', 'unknown', 'wrong-scope', 'wrong-service'];

/** One thing the generator asks for, again and again. */
export interface Shot {
  /** Name of the route in the tables of results. */
  readonly route: string;
  readonly kind: CredentialKind;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Share of the load, relative to the other shots. */
  readonly weight: number;
  /** An event stream, which must come to its last event or end with an error event. */
  readonly stream?: true;
  /** The answer is of our origin and names the request it belongs to. */
  readonly echoes?: true;
}

export interface Plan {
  /** Where it sends to, in turn; where nobody listens, the next one gets the request. */
  readonly doors: readonly string[];
  readonly shots: readonly Shot[];
  /** Open loop: what is due goes out. */
  readonly requestsPerSecond: number;
  /** Closed loop instead: so many at a time, each after the last, to find out what the machine can take. */
  readonly atATime?: number;
  /** Connections come from so many addresses in turn; default 1. A listener bounds the sockets of each. */
  readonly addresses?: number;
  /** Of the order of shots and of the identifiers. */
  readonly seed: number;
  /** How long one request may take in all. */
  readonly timeoutMs: number;
}

/** What became of one request. Times are milliseconds since the epoch, with fractions. */
export interface Row {
  readonly id: string;
  readonly route: string;
  readonly kind: CredentialKind;
  readonly stream: boolean;
  /** When it was due by the plan, and when it went out. */
  readonly scheduled: number;
  readonly sent: number;
  /** When the whole answer was here, or it failed. */
  readonly received: number;
  /** The head of the answer. */
  readonly headAt: number | undefined;
  /** Undefined: no answer. */
  readonly status: number | undefined;
  readonly bodyHash: string | undefined;
  readonly bytes: number;
  readonly requestId: string | undefined;
  readonly configVersion: string | undefined;
  /** The field RateLimit-Policy. */
  readonly limitPolicy: string | undefined;
  /** The path at which the origin was asked. */
  readonly originPath: string | undefined;
  /** Code of a refusal, in capitals. */
  readonly code: string | undefined;
  /** The beginning of the body of anything but a 200. */
  readonly detail: string | undefined;
  /** Why there is no whole answer. */
  readonly error: string | undefined;
  /** Sent again as RFC 9110 §9.2.2 allows, because a kept connection was closed before any byte of an answer. */
  readonly again: boolean;
  /** The answer belongs to another request, or is no answer of the origin at all. */
  readonly crossed: boolean;
  /** Which of the doors answered. */
  readonly door: number;
}

/** Everything that a generator has sent, in the order in which it was done. */
export class Ledger {
  readonly rows: Row[] = [];

  where(accepts: (row: Row) => boolean): Row[] {
    return this.rows.filter(accepts);
  }

  /** Rows that were due in this span of time, epoch milliseconds. */
  between(from: number, to: number): Row[] {
    return this.where(({ scheduled }) => scheduled >= from && scheduled < to);
  }
}

export const isServed = ({ status, error }: Row): boolean =>
  error === undefined && status !== undefined && status >= 200 && status < 300;

/** @returns the share, 0 where there is nothing to count: nothing is shown by nothing. */
export function ratio(rows: readonly Row[], accepts: (row: Row) => boolean): number {
  return rows.length === 0 ? 0 : rows.filter(accepts).length / rows.length;
}

/** @param share 0.99 for the 99th percentile. @returns milliseconds; 0 of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** How long each took from the moment it was due: a generator that is late itself hides nothing. */
export function durations(rows: readonly Row[]): number[] {
  return rows.map(({ received, scheduled }) => received - scheduled);
}

/** How often each outcome came, for a line of text. */
export function outcomes(rows: readonly Row[]): string {
  const counts = new Map<string, number>();
  for (const { status, error, code } of rows) {
    const name = error ?? [status, code].filter((part) => part !== undefined).join(' ');
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${count} × ${name}`)
    .join(', ');
}
