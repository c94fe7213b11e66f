import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atMost, none } from './checkers';
import { outcomes } from './ledger';
import { noneTold5xx, oracles, underLoad } from './under-load';

const LONGEST_EXIT_SECONDS = 30;

export const rollingRestart: ChaosTest = {
  number: 'T16',
  title: 'a rolling restart',
  procedure: 'SIGTERM one ingress, wait for its end, start it again, then the other one, under load with streams',
  pass: '0 failed; each stream comes to its end or to an error event; each ingress ends well within 30 s',
  quick: true,
  run: async (context) => {
    const exits: { seconds: number; code: number | null }[] = [];
    const loaded = await underLoad(context, async ({ world: { stage } }) => {
      await pause(1_000);
      for (const node of stage.of('ingress')) {
        const begun = performance.now();
        const { code } = await node.program.end('SIGTERM');
        exits.push({ seconds: (performance.now() - begun) / 1000, code });
        await stage.restart(node);
        await pause(context.seconds * 150);
      }
    });
    const { rows } = loaded.ledger;
    const failed = rows.filter(({ error }) => error !== undefined);
    context.say(`failed: ${outcomes(failed) || 'none'}; sent again: ${rows.filter(({ again }) => again).length}`);
    return {
      checks: [
        none(`failed of ${rows.length}`, failed.filter(({ stream }) => !stream).length),
        none(
          `streams cut of ${rows.filter(({ stream }) => stream).length}`,
          failed.filter(({ stream }) => stream).length,
        ),
        noneTold5xx(rows),
        none('ended with an error', exits.filter(({ code }) => code !== 0).length),
        atMost('ended within', Math.max(...exits.map(({ seconds }) => seconds)), LONGEST_EXIT_SECONDS, ' s'),
        ...(await oracles(loaded)),
      ],
    };
  },
};
