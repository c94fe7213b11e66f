import type { DeclarativeInput } from '@sallyport/contracts';
import { expectStatus } from '../e2e/calls';
import { pause } from '../e2e/waiting';
import type { ChaosTest } from './chaos-test';
import { atLeast, none } from './checkers';
import { isServed, outcomes, type Row } from './ledger';
import { availability, noneTold5xx, oracles, underLoad } from './under-load';
import type { World } from './world';

const EVERY_MS = 200;
/** What is promised. Publishing takes little of the machine, so that the load may be more of it than elsewhere. */
const PROMISED = { seconds: 60, requestsPerSecond: 300 };
const SHARE_OF_CAPACITY = 0.6;

type Document = Omit<DeclarativeInput, 'sallyport'>;

export const reload: ChaosTest = {
  number: 'T50',
  title: 'a new configuration every 200 ms',
  procedure:
    'publish a revision every 200 ms under mixed load, in the long form for 60 s at 300 requests a second; each names itself in two places that one answer shows',
  pass: '0 failed; every answer is of exactly one revision',
  quick: true,
  run: async (asked) => {
    const context = asked.quick ? asked : { ...asked, ...PROMISED };
    const world = await context.world();
    const shots = [
      ...world.mix(),
      { ...world.shot('open', 'allowed', 40, { path: '/turning/things' }), route: 'turning' },
    ];
    const revisions = new Map<string, number>();
    let published = 0;
    await publish(world, 0, revisions);
    await world.publish(documentOf(world, 0));
    const loaded = await underLoad(
      context,
      async () => {
        for (const end = performance.now() + context.seconds * 1000; performance.now() < end;) {
          const next = performance.now() + EVERY_MS;
          await publish(world, ++published, revisions);
          await pause(Math.max(0, next - performance.now()));
        }
      },
      asked.quick ? { shots } : { shots, share: SHARE_OF_CAPACITY },
    );
    await world.publish(world.document());
    const { rows } = loaded.ledger;
    const failed = rows.filter(({ error }) => error !== undefined);
    const turning = rows.filter((row) => row.route === 'turning' && isServed(row));
    const seen = new Set(turning.map(({ configVersion }) => configVersion)).size;
    context.say(`${published} published, ${seen} seen in answers; failed: ${outcomes(failed) || 'none'}`);
    return {
      checks: [
        none(`failed of ${rows.length}`, failed.length),
        noneTold5xx(rows),
        none(`of two revisions, of ${turning.length}`, turning.filter((row) => !isOfOne(row, revisions)).length),
        atLeast('revisions seen in answers', seen, 2),
        ...availability('allowed', rows),
        ...(await oracles(loaded)),
      ],
    };
  },
};

/** The name of the limit and the path of the origin say the same number. */
function documentOf(world: World, number: number): Document {
  const document = world.document();
  const upstream = { targets: [{ url: `http://127.0.0.1:${world.origin.port}/turn-${number}` }], allowPrivate: true };
  const limit = { 'rate-limit': { name: `turn-${number}`, limit: 1_000_000, window: '60s' } };
  const turning = { name: 'turning', class: 'public' as const, upstream, policies: [{ waf: { mode: 'off' } }, limit] };
  return { ...document, services: [...document.services!, turning] };
}

async function publish(world: World, number: number, revisions: Map<string, number>): Promise<void> {
  const answer = await world.stage.admin('/api/v1/changesets', {
    body: { sallyport: 1, ...documentOf(world, number) },
  });
  revisions.set(expectStatus(answer, 200).json<{ revision: string }>().revision, number);
}

function isOfOne({ configVersion, limitPolicy, originPath }: Row, revisions: ReadonlyMap<string, number>): boolean {
  const number = revisions.get(configVersion ?? '');
  // Everything that is published meanwhile is known once its answer is here; what came before is of the first document.
  return (
    number !== undefined &&
    limitPolicy?.includes(`"turn-${number}"`) === true &&
    originPath?.startsWith(`/turn-${number}/`) === true
  );
}
