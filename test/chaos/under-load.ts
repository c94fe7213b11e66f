import { pause, until } from '../e2e/waiting';
import type { ChaosContext } from './chaos-test';
import { authorisation, none, shareAtLeast, trail, type Check } from './checkers';
import { deniedKinds, isServed, outcomes, percentile, ratio, type Ledger, type Row, type Shot } from './ledger';
import { Load, type OriginCounts } from './load';
import type { World } from './world';

const TIMEOUT_MS = 15_000;

/** A span of time in which something was wrong, epoch milliseconds. */
export interface Phase {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

export interface Loaded {
  readonly world: World;
  readonly ledger: Ledger;
  readonly phases: readonly Phase[];
  /** What the machine could take. */
  readonly requestsPerSecond: number;
  readonly before: OriginCounts;
  readonly after: OriginCounts;
}

export interface LoadOptions {
  readonly shots?: readonly Shot[];
  readonly requestsPerSecond?: number;
  readonly doors?: readonly string[];
  readonly addresses?: number;
  /** How much of what the machine takes the load may be, from 0 to 1, where what is done meanwhile leaves room for more. */
  readonly share?: number;
  /** Sends as much as is asked for, whatever the machine can take. */
  readonly unmeasured?: true;
}

/** What a test does while the load runs. */
export type Nemesis = (tools: {
  readonly world: World;
  readonly load: Load;
  /** Does something and notes when. */
  phase(name: string, body: () => Promise<void>): Promise<void>;
}) => Promise<void>;

/** How much of what the machine takes now a test asks for: the rest is for what it does to the product meanwhile. */
const SHARE_OF_CAPACITY = 0.3;
const CALIBRATION_MS = 1_500;
/** So many of these in which it answers no more than before. */
const SETTLED = 3;
/** A product that has just started answers a third of what it does when its code is compiled. A long run waits for that. */
const warmUpMs = (seconds: number): number => Math.max(0, seconds - 10) * 250;

/** Requests a second that the product answers here and now, when it is asked for as many as it can. */
export function capacityOf(context: ChaosContext, shots: readonly Shot[]): Promise<number> {
  return asked(context, shots, 16, async (load) => {
    await pause(warmUpMs(context.seconds));
    return rateOf(load);
  });
}

/** The same of a product that has been asked for so long that its code is compiled: until it answers no more than before. */
export function settledCapacityOf(context: ChaosContext, shots: readonly Shot[]): Promise<number> {
  return asked(context, shots, 64, async (load) => {
    const rates = [await rateOf(load)];
    while (Math.max(...rates.slice(-SETTLED)) > 1.05 * Math.max(0, ...rates.slice(0, -SETTLED))) {
      rates.push(await rateOf(load));
    }
    return percentile(rates.slice(-SETTLED), 0.5);
  });
}

/** Asks with so many requests under way, without a pause, for as long as the body lasts. */
async function asked<T>(
  context: ChaosContext,
  shots: readonly Shot[],
  atATime: number,
  body: (load: Load) => Promise<T>,
): Promise<T> {
  const { stage } = await context.world();
  const load = new Load({
    doors: stage.doors,
    shots,
    requestsPerSecond: 0,
    atATime,
    seed: context.seed,
    timeoutMs: TIMEOUT_MS,
  });
  try {
    await until('the first answers', () => load.ledger.rows.length > 32);
    const result = await body(load);
    await load.stop();
    return result;
  } finally {
    load.kill();
  }
}

async function rateOf(load: Load): Promise<number> {
  const before = load.ledger.rows.length;
  await pause(CALIBRATION_MS);
  return ((load.ledger.rows.length - before) / CALIBRATION_MS) * 1000;
}

/** What can be asked without overload: the figure that is wished for, or less where the machine has no more to give. */
export async function bearable(
  context: ChaosContext,
  wished: number,
  shots: readonly Shot[],
  share = SHARE_OF_CAPACITY,
): Promise<number> {
  const capacity = await capacityOf(context, shots);
  const bearable = Math.max(10, Math.min(wished, Math.floor(capacity * share)));
  if (bearable < wished)
    context.say(
      `${Math.round(capacity)}/s is all this machine takes now: ${bearable}/s instead of ${Math.round(wished)}/s`,
    );
  return bearable;
}

/** Runs the load of the context for as long as the nemesis is at work. */
export async function underLoad(context: ChaosContext, nemesis: Nemesis, options: LoadOptions = {}): Promise<Loaded> {
  const world = await context.world();
  const shots = options.shots ?? world.mix();
  const wished = options.requestsPerSecond ?? context.requestsPerSecond;
  const measured = shots.filter(({ stream }) => !stream);
  const requestsPerSecond = options.unmeasured ? wished : await bearable(context, wished, measured, options.share);
  const before = await world.origin.counts();
  const phases: Phase[] = [];
  const load = new Load({
    doors: options.doors ?? world.stage.doors,
    shots,
    requestsPerSecond,
    ...(options.addresses !== undefined && { addresses: options.addresses }),
    seed: context.seed,
    timeoutMs: TIMEOUT_MS,
  });
  const phase = async (name: string, body: () => Promise<void>): Promise<void> => {
    const from = Date.now();
    await body();
    phases.push({ name, from, to: Date.now() });
  };
  try {
    await nemesis({ world, load, phase });
    const ledger = await load.stop();
    return { world, ledger, phases, requestsPerSecond, before, after: await world.origin.counts() };
  } finally {
    load.kill();
  }
}

/** Closed by contract when inspection is away, which on a busy machine it may be for the length of a budget. */
const CLOSED_WITHOUT_WAF = new Set(['guarded', 'regulated', 'chat']);

const isAllowed = ({ kind }: Row): boolean => !deniedKinds.includes(kind);
const isShed = ({ code }: Row): boolean => code === 'INGRESS_OVERLOADED';

/** Good callers on routes that the contract keeps open whatever is away. */
export function unaffected(rows: readonly Row[]): Row[] {
  return rows.filter((row) => isAllowed(row) && !CLOSED_WITHOUT_WAF.has(row.route) && !isShed(row));
}

/** Good callers are served where the contract says so, and everybody else is told the truth: 503, with a reason. */
export function availability(name: string, rows: readonly Row[], share = 0.995): Check[] {
  const wanted = unaffected(rows);
  const unserved = wanted.filter((row) => !isServed(row));
  const closed = rows.filter((row) => isAllowed(row) && CLOSED_WITHOUT_WAF.has(row.route));
  const untrue = closed.filter((row) => !isServed(row) && !(row.status === 503 && row.code !== undefined));
  return [
    because(shareAtLeast(`${name}: served of ${wanted.length}`, ratio(wanted, isServed), share), unserved),
    ...(untrue.length === 0 ? [] : [because(none(`${name}: neither served nor an honest 503`, untrue.length), untrue)]),
  ];
}

/** Not one good caller, on a route that stays open, is told that something of ours or behind us is broken. */
export function noneTold5xx(rows: readonly Row[]): Check {
  const told = unaffected(rows).filter(({ status }) => status !== undefined && status >= 500);
  return because(none('good callers told 5xx', told.length), told);
}

/** A check that failed says by which rows. */
function because(check: Check, rows: readonly Row[]): Check {
  return check.passed ? check : { ...check, figure: `${check.figure}: ${outcomes(rows)}; one: ${rows[0]?.detail}` };
}

/** What every run of mixed load must show. */
export async function oracles({ world, ledger, before, after }: Loaded): Promise<Check[]> {
  return [...authorisation(ledger, before, after), ...(await trail(ledger.rows, world.stage.databaseUrl))];
}

/** For people: how often good callers met anything but an answer. */
export function complaints(rows: readonly Row[]): string {
  return outcomes(rows.filter((row) => isAllowed(row) && !isServed(row))) || 'none';
}
