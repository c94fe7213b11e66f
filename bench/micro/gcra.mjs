// What counting a request costs in memory: `node bench/micro/gcra.mjs [--seconds 0.5] [--json]`
// Prints nanoseconds of processor time for one decision of the limiter, the median of several windows.
import { createRequire } from 'node:module';
import { nanosecondsOf, smallBenchmark } from '../processor-time.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

/** More than the table of the last kind has room for. */
const CALLERS = 100_000;

smallBenchmark(import.meta, 'decision', measure);

const roomy = { limit: 1_000_000, burst: 1_000_000 };
const tight = { limit: 1, burst: 1, windowSeconds: 31_536_000 };

const kinds = {
  'one bucket': { charges: [roomy] },
  'two buckets': { charges: [roomy, roomy] },
  'two buckets of each of 100,000 callers': { charges: [roomy, roomy], callers: CALLERS },
  'two buckets, refused': { charges: [roomy, tight], refused: true },
  'one bucket, a new caller in a full table': { charges: [roomy], callers: CALLERS, mostBuckets: 10_000 },
};

/** @returns processor nanoseconds for one decision of each kind. */
export function measure(seconds) {
  const figures = { 'the arithmetic alone': nanosecondsOf(arithmetic(), seconds) };
  for (const [name, kind] of Object.entries(kinds)) {
    const { once, check } = decision(kind);
    figures[name] = nanosecondsOf(once, seconds);
    check();
  }
  return figures;
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

/** Each decision is a millisecond after the one before, so that what a bucket takes is not used up however long it is measured. */
function decision({ charges, callers = 1, refused = false, mostBuckets }) {
  const { LocalLimiter, MemorySource } = require('./libs/limits/src/index.js');
  let now = 0;
  const limiter = new LocalLimiter(new MemorySource({ monotonic: () => ++now }, mostBuckets));
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
  let decided = 0;
  let allowed = 0;
  const take = (spending) => {
    decided++;
    if (spending.allowed) allowed++;
  };
  const once = () => limiter.spend('default', asked[at++ % callers], take);
  // Takes all that a tight one has.
  once();
  return {
    once,
    check() {
      const expected = refused ? 1 : decided;
      if (allowed !== expected) throw new Error(`${allowed} of ${decided} were allowed, and not ${expected}`);
    },
  };
}
