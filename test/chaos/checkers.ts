import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Client } from 'pg';
import { pause } from '../e2e/waiting';
import { deniedKinds, isServed, type Ledger, type Row } from './ledger';
import type { OriginCounts } from './load';

/** One line of a verdict: what was looked at, what was found, and whether that is good enough. */
export interface Check {
  readonly name: string;
  readonly figure: string;
  readonly passed: boolean;
}

export function none(name: string, count: number): Check {
  return { name, figure: String(count), passed: count === 0 };
}

/** @param limit the most that passes, in the unit of the figure. */
export function atMost(name: string, value: number, limit: number, unit = ''): Check {
  return { name, figure: `${rounded(value)}${unit} (≤ ${rounded(limit)}${unit})`, passed: value <= limit };
}

export function atLeast(name: string, value: number, limit: number, unit = ''): Check {
  return { name, figure: `${rounded(value)}${unit} (≥ ${rounded(limit)}${unit})`, passed: value >= limit };
}

/** @param share 0 to 1, shown in per cent. */
export function shareAtLeast(name: string, share: number, limit: number): Check {
  return atLeast(name, share * 100, limit * 100, ' %');
}

function rounded(value: number): string {
  return String(Math.round(value * 100) / 100);
}

const isDenied = ({ kind }: Row): boolean => deniedKinds.includes(kind);

/**
 * The oracle of authorisation: nobody who must be denied is served, nothing of theirs reaches the origin, and no answer goes to
 * somebody else.
 * @param before what the origin had counted when the load began.
 */
export function authorisation({ rows }: Ledger, before: OriginCounts, after: OriginCounts): Check[] {
  return [
    none('denied, answered 2xx', rows.filter((row) => isDenied(row) && isServed(row)).length),
    none('denied, reached the origin', after.denied - before.denied),
    none('answers of other requests', rows.filter(({ crossed }) => crossed).length),
  ];
}

export interface Recorded {
  readonly request_id: string;
  readonly route: string | null;
  readonly status: number | null;
  readonly app: string | null;
}

/**
 * The oracle of the trail: each answer has exactly one record, which says the route and the status that the caller saw, and
 * each chain of a producer is whole.
 */
export async function trail(rows: readonly Row[], databaseUrl: string, patienceMs = 120_000): Promise<Check[]> {
  // The last byte leaves when the record is safe: what was cut before is promised to nobody.
  const whole = rows.filter(({ error }) => error === undefined);
  const answered = whole.filter(({ requestId }) => requestId !== undefined);
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const found = await recordsOf(client, answered, patienceMs);
    const missing = answered.filter(({ requestId }) => !found.has(requestId!));
    const twice = [...found.values()].filter((records) => records.length > 1);
    const wrong = answered.filter((row) => found.has(row.requestId!) && !tells(found.get(row.requestId!)![0]!, row));
    const { holes, quarantined, chains } = await chainsOf(client);
    return [
      none(`records missing of ${answered.length}`, missing.length),
      none('answers that name no request', whole.length - answered.length),
      none('answers with two records', twice.length),
      none('records that say something else', wrong.length),
      none(`holes in ${chains} chains`, holes),
      none('records that could not be stored', quarantined),
    ];
  } finally {
    await client.end();
  }
}

async function recordsOf(
  client: Client,
  answered: readonly Row[],
  patienceMs: number,
): Promise<Map<string, Recorded[]>> {
  const wanted = new Set(answered.map(({ requestId }) => requestId!));
  const end = performance.now() + patienceMs;
  for (;;) {
    const { rows } = await client.query<Recorded>(
      `SELECT request_id, route, status, app FROM audit.audit_event WHERE kind = 'request.completed' AND request_id = ANY($1)`,
      [[...wanted]],
    );
    const found = new Map<string, Recorded[]>();
    for (const row of rows) found.set(row.request_id, [...(found.get(row.request_id) ?? []), row]);
    if (found.size === wanted.size || performance.now() > end) return found;
    await pause(250);
  }
}

/** From the first byte of a request to the last of its answer, epoch milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * When the gateway itself had each of these, by its own records: where the caller shares the processors with it, the caller's
 * clock tells mostly how late the caller is.
 */
export async function recordedSpans(rows: readonly Row[], databaseUrl: string): Promise<Span[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const recorded = await client.query<{ time: string; latency: string }>(
      `SELECT record ->> 'time' AS time, record #>> '{http_response,latency}' AS latency FROM (
         SELECT convert_from(body, 'UTF8')::jsonb AS record FROM audit.audit_event
         WHERE kind = 'request.completed' AND request_id = ANY($1)) AS each`,
      [rows.map(({ requestId }) => requestId)],
    );
    return recorded.rows.map(({ time, latency }) => ({ from: Number(time) - Number(latency), to: Number(time) }));
  } finally {
    await client.end();
  }
}

/** A stream that was cut, or an answer nobody waited for, has its status on record all the same. */
export function tells(record: Recorded, { route, kind, status }: Row): boolean {
  const served = status !== undefined && status < 300;
  // Who is refused may be so before there is a route.
  const rightRoute = route === 'chat' || (record.route === null ? !served : record.route.startsWith(`${route}/`));
  const rightCaller = !served || record.app === (kind === 'limited' ? 'greedy' : 'steady');
  return record.status === status && rightRoute && rightCaller;
}

/** Chains begin at 1; one that says too much does not make up for another that says too little. */
async function chainsOf(client: Client): Promise<{ holes: number; quarantined: number; chains: number }> {
  const { rows } = await client.query<{ holes: string; chains: string }>(
    `SELECT count(*) AS chains, coalesce(sum(abs(last - stored - gaps)), 0) AS holes FROM (
       SELECT chain, max(seq) AS last, count(DISTINCT seq) AS stored,
         (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM audit.audit_gap g WHERE g.chain = e.chain) +
         (SELECT count(*) FROM audit.audit_quarantine q WHERE q.chain = e.chain) AS gaps
       FROM audit.audit_event e GROUP BY chain) AS each`,
  );
  const quarantine = await client.query<{ count: string }>('SELECT count(*) FROM audit.audit_quarantine');
  return {
    holes: Number(rows[0]!.holes),
    chains: Number(rows[0]!.chains),
    quarantined: Number(quarantine.rows[0]!.count),
  };
}

/** What a process holds of the machine. */
export interface Holdings {
  /** Resident memory in MB. */
  readonly residentMb: number;
  readonly descriptors: number;
  readonly sockets: number;
  readonly threads: number;
  /** Seconds of processor time so far. */
  readonly cpuSeconds: number;
}

const TICKS_PER_SECOND = 100;

/** Reads /proc for a process and all that it has started. @throws where there is none, or no such process. */
export function holdingsOf(pid: number): Holdings {
  const each = [pid, ...descendantsOf(pid)].map(holdingsOfOne);
  const sum = (of: (one: Holdings) => number): number => each.reduce((total, one) => total + of(one), 0);
  return {
    residentMb: sum(({ residentMb }) => residentMb),
    threads: sum(({ threads }) => threads),
    descriptors: sum(({ descriptors }) => descriptors),
    sockets: sum(({ sockets }) => sockets),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
  };
}

/** Processes that a process has started, and those that they have. */
export function descendantsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function holdingsOfOne(pid: number): Holdings {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  return {
    residentMb: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024,
    threads: Number(/Threads:\s+(\d+)/.exec(status)![1]),
    descriptors: links.length,
    sockets: links.filter((link) => link.startsWith('socket:')).length,
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND,
  };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
