import { randomInt } from 'node:crypto';
import { missingServers } from '../e2e/servers';
import type { ChaosContext, ChaosTest, Verdict } from './chaos-test';
import { Stage } from './stage';
import { vendorKey, World } from './world';

export interface Result {
  readonly test: ChaosTest;
  readonly verdict: Verdict;
  readonly seconds: number;
}

export interface RunOptions {
  readonly seconds: number;
  readonly quick: boolean;
  readonly requestsPerSecond: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}

/** How long and how hard, from the environment. */
export function optionsFrom(environment: NodeJS.ProcessEnv, quick: boolean, say: RunOptions['say']): RunOptions {
  return {
    seconds: Number(environment['SALLYPORT_CHAOS_SECONDS'] ?? 10),
    quick,
    requestsPerSecond: Number(environment['SALLYPORT_CHAOS_RPS'] ?? 200),
    seed: Number(environment['SALLYPORT_CHAOS_SEED'] ?? randomInt(2 ** 31)),
    say,
  };
}

/** Why nothing that needs the product can be run here, or undefined. */
const lacking =
  missingServers.length > 0
    ? `${missingServers.join(' and ')} is not installed`
    : process.platform !== 'linux'
      ? 'processes are looked at through /proc, which is Linux'
      : undefined;

class Lacking extends Error {}

/** Tests one after the other, on one product that is repaired in between. */
export class Run {
  private made: World | undefined;

  constructor(private readonly options: RunOptions) {}

  async run(test: ChaosTest): Promise<Result> {
    const begun = performance.now();
    const verdict = await test.run(this.context).catch((error: Error): Verdict => {
      if (error instanceof Lacking) return { skipped: error.message };
      const [first] = error.message.split('\n');
      this.options.say(error.stack ?? error.message);
      return { checks: [{ name: 'the test itself', figure: first!, passed: false }] };
    });
    return { test, verdict, seconds: (performance.now() - begun) / 1000 };
  }

  /** @throws Error when a process of the product does not end well. */
  async close(): Promise<void> {
    const world = this.made;
    this.made = undefined;
    await world?.stage.close();
    await world?.close();
  }

  private get context(): ChaosContext {
    return { ...this.options, world: () => this.world() };
  }

  private async world(): Promise<World> {
    if (lacking !== undefined) throw new Lacking(lacking);
    if (this.made) {
      await this.made.stage.repair();
      return this.made;
    }
    const stage = await Stage.start({ only: { 'ai-router': { CHAOS_VENDOR_KEY: vendorKey } } });
    try {
      this.made = await World.create(stage);
      return this.made;
    } catch (error) {
      await stage.close().catch(() => undefined);
      throw error;
    }
  }
}

/** Whether a test was passed; undefined where it could not be run. */
export function passed({ verdict }: Result): boolean | undefined {
  return 'skipped' in verdict ? undefined : verdict.checks.every((check) => check.passed);
}
