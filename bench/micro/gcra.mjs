// What counting a request costs in memory: `node bench/micro/gcra.mjs [--seconds 0.5] [--json]`
// Prints nanoseconds of processor time for one decision of the limiter, the median of several windows.
import { createRequire } from 'node:module';
import { nanosecondsOf, smallBenchmark } from '../processor-time.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

/** More than the table of the last kind has room for. */
const CALLERS = 100_000;

smallBenchmark(import.meta, 'decision', measure);

/** @returns processor nanoseconds for one decision of each kind. */
export function measure(seconds) {
  const roomy = { limit: 1_000_000, burst: 1_000_000 };
  const tight = { limit: 1, burst: 1, windowSeconds: 86_400 };
  return {
    'the arithmetic alone': nanosecondsOf(arithmetic(), seconds),
    'one bucket': nanosecondsOf(decision({ charges: [roomy] }), seconds),
    'two buckets': nanosecondsOf(decision({ charges: [roomy, roomy] }), seconds),
    'two buckets of each of 100,000 callers': nanosecondsOf(
      decision({ charges: [roomy, roomy], callers: CALLERS }),
      seconds,
    ),
    'two buckets, refused': nanosecondsOf(decision({ charges: [roomy, tight], refused: true }), seconds),
    'one bucket, a new caller in a full table': nanosecondsOf(
      decision({ charges: [roomy], callers: CALLERS, mostBuckets: 10_000 }),
      seconds,
    ),
  };
}

function arithmetic() {
  const { debtAt, rateOf, waitFor } = require('./libs/limits/src/gcra.js');
  const rate = rateOf(1_000_000, 60, 1_000_000);
  const bucket = { debt: 0, at: 0 };
  let now = 0;
  return () => {
    now += 1;
    const debt = debtAt(rate, bucket, now);
    if (waitFor(rate, debt, 1) > 0) throw new Error('refused');
    bucket.debt = debt + rate.perRequest;
    bucket.at = now;
  };
}

function decision({ charges, callers = 1, refused = false, mostBuckets }) {
  const { LocalLimiter, MemorySource } = require('./libs/limits/src/index.js');
  const { systemClock } = require('./libs/contracts/src/index.js');
  const limiter = new LocalLimiter(new MemorySource(systemClock, mostBuckets));
  const asked = Array.from({ length: callers }, (_, caller) =>
    charges.map((charge, at) => ({
      policy: `limit-${at}`,
      key: `${at}:caller-${caller}`,
      windowSeconds: 60,
      cost: 1,
      ...charge,
    })),
  );
  let at = 0;
  let allowed = 0;
  const once = () =>
    limiter.spend('default', asked[at++ % callers], (spending) => (allowed += spending.allowed ? 1 : 0));
  // The first drains what the tight one has.
  once();
  allowed = 0;
  once();
  if (allowed !== (refused ? 0 : 1)) throw new Error(`${refused ? 'allowed' : 'refused'} against what is measured`);
  return once;
}
