import { call } from '../e2e/calls';
import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atMost, none } from './checkers';
import { deniedKinds, isServed, outcomes } from './ledger';
import { wrongClock } from './nemesis';
import { underLoad } from './under-load';

const OFFSETS = ['+10m', '-10m'];
/** Until a node has compared its clock with the others. */
const NOTICED_MS = 30_000;

export const wrongClocks: ChaosTest = {
  number: 'T49',
  title: 'the clock of one ingress is wrong',
  procedure: 'an ingress is started with its wall clock ten minutes ahead, then ten minutes behind, under mixed load',
  pass: 'it says that it is not ready, within 30 s; nobody is served who must be denied',
  quick: false,
  run: async (context) => {
    const world = await context.world();
    const { stage } = world;
    const [, node] = stage.of('ingress');
    if (!wrongClock('+0')) return { skipped: 'libfaketime is not installed (on Debian: apt-get install faketime)' };
    const noticed: number[] = [];
    try {
      const loaded = await underLoad(context, async () => {
        for (const offset of OFFSETS) {
          await node!.program.end('SIGTERM');
          stage.begin(node!, wrongClock(offset)!);
          noticed.push(await untilRefused(`${stage.healthUrl(node!)}/readyz`));
          await pause(1_000);
        }
      });
      const denied = loaded.ledger.where((row) => deniedKinds.includes(row.kind) && isServed(row));
      return {
        checks: [
          atMost('said that it is not ready after', Math.max(...noticed) / 1000, NOTICED_MS / 1000, ' s'),
          none(`denied, answered 2xx${denied.length > 0 ? `: ${outcomes(denied)}` : ''}`, denied.length),
        ],
      };
    } finally {
      await node!.program.end('SIGTERM').catch(() => undefined);
      await stage.restart(node!, {});
    }
  },
};

/** @returns milliseconds until the process that runs names its clock; infinite when it does not within the time, and then some. */
async function untilRefused(url: string): Promise<number> {
  let lived: number | undefined;
  for (const begun = performance.now(); performance.now() - begun < 3 * NOTICED_MS;) {
    const answer = await call(url).catch(() => undefined);
    if (answer) lived ??= performance.now();
    // While it starts it is not ready for other reasons.
    if (answer?.status === 503 && answer.text.includes('the clock is')) return performance.now() - lived!;
    if (lived !== undefined && performance.now() - lived > NOTICED_MS + 5_000) break;
    await pause(250);
  }
  return Infinity;
}
