import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buckets, type Clock, type RandomBytes, type WafExclusion } from '@sallyport/contracts';
import type { Bus, Closable, Logger } from '@sallyport/platform';
import { planWithout, type PlanId } from '@sallyport/waf';
import { z } from 'zod';
import { SharedDocument } from '../shared-document';

/** Rules that were switched off in a hurry, everywhere, for some time. */
export const killSwitch = z.strictObject({
  id: z.string().regex(/^kill_[0-9a-f]{12}$/),
  /** A rule or a range of rules, a tag, or `all`: every rule there is. */
  what: z.string().regex(/^(\d{1,8}|\d{1,8}-\d{1,8}|all|tag:[\x21-\x7e]{1,128})$/, {
    error: 'name a rule such as 942100, a range such as 942000-942999, tag:<tag>, or all',
  }),
  reason: z.string().min(3).max(512),
  by: z.string().min(1).max(128),
  since: z.iso.datetime(),
  until: z.iso.datetime(),
});
export type KillSwitch = z.infer<typeof killSwitch>;

const killSwitches = z.array(killSwitch).max(256);

export interface KillSwitchesOptions {
  readonly bus: Bus;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  /** Told of those that begin to hold here. */
  readonly onKilled: (kill: KillSwitch) => void;
}

/** How often the file of the host is looked at, and whether something has ended. */
const LOOK_EVERY_MS = 1_000;
/** As many plans as routes differ, in the worst case. */
const MOST_PLANS = 10_000;

/** What an operator of a host without a control plane writes: a list of `{what, reason, until}`. */
const hostFile = z
  .array(killSwitch.pick({ what: true, reason: true, until: true }).extend({ by: z.string().max(128).optional() }))
  .max(256);

/**
 * The kill switches of an installation: they travel in a bucket that every replica follows, and in a file of the host for when
 * there is no bus. A kill is put into the plan of every request that begins, beside the exclusions of its route.
 */
export class KillSwitches implements Closable {
  private shared!: SharedDocument<readonly KillSwitch[]>;
  private ofHost: readonly KillSwitch[] = [];
  private hostFileAt = '';
  private holding: readonly KillSwitch[] = [];
  private exclusions: readonly WafExclusion[] = [];
  private readonly plans = new Map<PlanId, PlanId>();
  private readonly known = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  private constructor(private readonly options: KillSwitchesOptions) {}

  static async open(options: KillSwitchesOptions): Promise<KillSwitches> {
    const kills = new KillSwitches(options);
    const { bus, dataDir, logger } = options;
    kills.shared = await SharedDocument.open<readonly KillSwitch[]>({
      bus,
      bucket: buckets.waf,
      key: 'kills',
      schema: killSwitches,
      file: join(dataDir, 'waf', 'kills.json'),
      initial: [],
      logger,
      onChange: (list) => kills.follow(list),
    });
    await kills.readHostFile();
    kills.timer = setInterval(() => void kills.look(), LOOK_EVERY_MS);
    kills.timer.unref();
    return kills;
  }

  /** Those that hold now. */
  get list(): readonly KillSwitch[] {
    return this.holding;
  }

  /** Whether every rule is off. */
  get all(): boolean {
    return this.holding.some(({ what }) => what === 'all');
  }

  /** The plan by which a request is inspected that asks for this one. */
  planFor(id: PlanId): PlanId {
    if (this.exclusions.length === 0) return id;
    const known = this.plans.get(id);
    if (known !== undefined) return known;
    if (this.plans.size >= MOST_PLANS) this.plans.clear();
    const plan = planWithout(id, this.exclusions);
    this.plans.set(id, plan);
    return plan;
  }

  /** @param forMs how long it holds */
  async kill(what: string, forMs: number, reason: string, by: string): Promise<KillSwitch> {
    const { clock, random } = this.options;
    const now = clock.now();
    const kill: KillSwitch = {
      id: `kill_${Buffer.from(random(6)).toString('hex')}`,
      what,
      reason,
      by,
      since: new Date(now).toISOString(),
      until: new Date(now + forMs).toISOString(),
    };
    await this.shared.change((list) => [...list.filter((other) => !this.isOver(other)), kill]);
    return kill;
  }

  /** @returns the one that was ended before its time; undefined: there is none of this id. */
  async end(id: string): Promise<KillSwitch | undefined> {
    const kill = this.shared.value.find((other) => other.id === id);
    if (kill) await this.shared.change((list) => list.filter((other) => other.id !== id));
    return kill;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.shared.close();
  }

  private follow(list: readonly KillSwitch[]): void {
    this.hold([...list, ...this.ofHost]);
  }

  private async look(): Promise<void> {
    await this.readHostFile();
    if (this.holding.some((kill) => this.isOver(kill))) this.follow(this.shared.value);
  }

  private hold(list: readonly KillSwitch[]): void {
    this.holding = list.filter((kill) => !this.isOver(kill));
    this.exclusions = this.holding.map(exclusionOf);
    this.plans.clear();
    for (const kill of this.holding) {
      if (this.known.has(kill.id)) continue;
      this.known.add(kill.id);
      this.options.onKilled(kill);
    }
  }

  private isOver({ until }: KillSwitch): boolean {
    return Date.parse(until) <= this.options.clock.now();
  }

  /** Reads `kill-switches.json` of the data folder when it has changed. */
  private async readHostFile(): Promise<void> {
    const { dataDir, logger, clock } = this.options;
    const file = join(dataDir, 'waf', HOST_FILE);
    const at = await stat(file).then(
      ({ mtimeMs, size }) => `${mtimeMs} ${size}`,
      () => '',
    );
    if (at === this.hostFileAt) return;
    this.hostFileAt = at;
    try {
      const text = at === '' ? '[]' : await readFile(file, 'utf8');
      const since = new Date(clock.now()).toISOString();
      this.ofHost = hostFile.parse(JSON.parse(text)).map((entry) => ({
        ...entry,
        by: entry.by ?? 'host',
        id: `kill_${createHash('sha256').update(JSON.stringify(entry)).digest('hex').slice(0, 12)}`,
        since,
      }));
      this.follow(this.shared.value);
    } catch (error) {
      logger.error({ err: error, file }, 'the file of kill switches cannot be read; what it said before still holds');
    }
  }
}

const HOST_FILE = 'kill-switches.json';

/** Every number a rule may have. */
const EVERY_RULE = '1-99999999';

function exclusionOf({ what, reason, until }: KillSwitch): WafExclusion {
  const common = { reason: `killed: ${reason}`.slice(0, 512), expires: until };
  if (what.startsWith('tag:')) return { tag: what.slice('tag:'.length), ...common };
  return { rule: what === 'all' ? EVERY_RULE : /-/.test(what) ? what : Number(what), ...common };
}
