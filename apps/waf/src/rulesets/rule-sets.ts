import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buckets, refuse, RefusalError, wafRuleSetName, type Clock, type TrialKind } from '@sallyport/contracts';
import { atOnce, inSlices, type Bus, type Closable, type Logger } from '@sallyport/platform';
import { compilePlan, compilingRuleSet, type Plan, type PlanId, type RuleSet, type RulesInForce } from '@sallyport/waf';
import { z } from 'zod';
import { SharedDocument } from '../shared-document';
import { Programs } from './programs';
import {
  BUILT_IN,
  findRuleSets,
  readRuleSet,
  sourceOf,
  type Origin,
  type RuleSetPlace,
  type RuleSetText,
} from './rule-files';
import { warmUp } from './self-test';
import { problemOf, type Problem, type Tried } from './trial';
import type { Trial } from './trial-thread';

/** Routes by the beginning of their ids, in whole segments: `service`, `service/version`, `service/version/route`. */
export const canaryRoutes = z
  .array(
    z
      .string()
      .regex(
        /^[a-z0-9][a-z0-9.-]{0,62}(\/[a-z0-9][a-z0-9.-]{0,62}){0,2}$/,
        'name a route such as shop/v1/search, or shop',
      ),
  )
  .min(1)
  .max(64);

/** Which rule sets an installation runs, by name. */
const stage = z.strictObject({
  active: wafRuleSetName,
  /** In force before; what a rollback goes back to. */
  previous: wafRuleSetName.optional(),
  /** Decides for a share of the requests, of these routes where it names some. */
  canary: z
    .strictObject({ name: wafRuleSetName, percent: z.number().min(0).max(100), routes: canaryRoutes.optional() })
    .optional(),
  /** Decides nothing: its hits are compared with those of the set in force. */
  shadow: wafRuleSetName.optional(),
  /** Counts what was activated, so that a set whose files have changed is read anew by every replica. */
  revision: z.int().min(0).optional(),
});
export type Stage = z.infer<typeof stage>;

/** Unset: whatever is found first. */
const stageDocument = stage.partial({ active: true });
type StageDocument = z.infer<typeof stageDocument>;

/** A rule set that can decide. */
export interface Loaded {
  readonly text: Pick<RuleSetText, 'name' | 'origin' | 'sha256' | 'ownMethods'>;
  readonly ruleSet: RuleSet;
  readonly programs: Programs;
  readonly cpuMicros: number;
  /** Milliseconds since the epoch. */
  readonly loadedAt: number;
}

/** What a set is put in force for; nothing said: everything. */
export interface Activation {
  /** Share of the requests. */
  readonly percent?: number | undefined;
  /** Beginnings of the ids of routes. */
  readonly routes?: readonly string[] | undefined;
  /** It only watches. */
  readonly shadow?: boolean | undefined;
}

/** Whose rules decide about one request, and whose only see it, for a comparison. */
export interface Roles {
  readonly decides: RulesInForce | undefined;
  /** Undefined: no set is being tried on this request. */
  readonly watches?: RulesInForce;
  /** Which of the two is being tried. */
  readonly trial?: TrialKind;
}

/** A rule set that was not taken. */
export interface Refused {
  readonly name: string;
  readonly origin: Origin;
  readonly problem: Problem;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface RuleSetsOptions {
  readonly bus: Bus;
  readonly dataDir: string;
  readonly crsDir: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 up to 1: which requests a canary decides. */
  readonly chance: () => number;
  readonly trial: Trial;
  /** Each set also has the rule by which a run of the CRS regression tests finds its place in the log. */
  readonly testMode: boolean;
  readonly onActivated: (name: string, before: string | undefined) => void;
  readonly onRefused: (refused: Refused) => void;
}

/** A set that costs more than so many times the one in force is a mistake, or an attack on the processor. */
const MOST_TIMES_THE_COST = 2;
/** Below it nobody minds, however cheap the other one was. */
const CHEAP_MICROS = 1_000;

/**
 * The rule sets of a process: which there are, which decide, and how another one takes their place. A set is tried in a thread
 * of its own, then compiled here between requests, and put in force by one pointer; an exchange keeps the set it began with. A
 * set that fails is refused with the place and the one in force stays.
 */
export class RuleSets implements Closable {
  private readonly loaded = new Map<string, Loaded>();
  private readonly loading = new Map<string, Promise<Loaded>>();
  private readonly refusals = new Map<string, Refused>();
  /** Plans that requests will ask for. */
  private expected: readonly Plan[] = EXPECTED_PLANS;
  private shared!: SharedDocument<StageDocument>;
  private stage: Stage = { active: BUILT_IN.name };
  private started = false;
  /** Undefined until the document that it follows is open. */
  private following: Promise<void> | undefined;
  /** Revision up to which the set in force was read. */
  private readRevision = 0;

  private constructor(private readonly options: RuleSetsOptions) {}

  /** Puts the set in force that was so last, or the first that is found; one of ours is always there. */
  static async open(options: RuleSetsOptions): Promise<RuleSets> {
    const sets = new RuleSets(options);
    const { bus, dataDir, logger } = options;
    sets.shared = await SharedDocument.open<StageDocument>({
      bus,
      bucket: buckets.waf,
      key: 'stage',
      schema: stageDocument,
      file: join(dataDir, 'waf', 'stage.json'),
      initial: {},
      logger,
      onChange: (wanted) => {
        if (sets.following) sets.following = sets.following.then(() => sets.follow(wanted));
      },
    });
    // What is changed while the first set is compiled comes after it.
    sets.following = sets.start(sets.shared.value);
    await sets.following;
    sets.started = true;
    return sets;
  }

  /** What decides about a request of a plan where no set is tried. */
  rulesFor(plan: Plan): RulesInForce | undefined {
    const { active } = this.stage;
    if (plan.ruleset !== undefined && plan.ruleset !== active) return this.rulesNamed(plan.ruleset, plan);
    return this.active.programs.of(plan);
  }

  /**
   * What decides about a request, and what sees it beside that. Where a canary decides, the set in force watches.
   * @param route its id; empty: a request of no route, which no canary of routes decides
   */
  rolesFor(plan: Plan, route: string): Roles {
    const inForce = this.rulesFor(plan);
    if (plan.mode === 'off') return { decides: inForce };
    const { canary, shadow, active } = this.stage;
    const isFree = plan.ruleset === undefined || plan.ruleset === active;
    if (canary && isFree && isOfRoutes(route, canary.routes) && this.options.chance() * 100 < canary.percent) {
      const candidate = this.loaded.get(canary.name)?.programs.of(plan);
      // A set that could not be read here decides nothing here.
      if (candidate) return { decides: candidate, ...(inForce && { watches: inForce, trial: 'canary' }) };
    }
    const inShadow = shadow === undefined ? undefined : this.loaded.get(shadow)?.programs.of(plan);
    return { decides: inForce, ...(inShadow && { watches: inShadow, trial: 'shadow' }) };
  }

  /**
   * Makes the programs of these plans between requests, so that the first request of a route does not wait for its own. Sets
   * that come later have them from the start.
   */
  async expect(plans: readonly PlanId[]): Promise<void> {
    this.expected = [...EXPECTED_PLANS, ...plans.slice(0, MOST_EXPECTED).map(compilePlan)];
    for (const loaded of this.loaded.values()) await this.prepare(loaded.programs);
    // A set that only some routes want is tried meanwhile, and nobody waits for it.
    for (const { ruleset } of this.expected)
      if (ruleset !== undefined && !this.refusals.has(ruleset)) void this.load(ruleset).catch(() => undefined);
  }

  /** Whether a set is being tried, so that requests have to be asked whose they are. */
  get isTrying(): boolean {
    return this.stage.canary !== undefined || this.stage.shadow !== undefined;
  }

  get current(): Stage {
    return this.stage;
  }

  get active(): Loaded {
    return this.loaded.get(this.stage.active)!;
  }

  get sets(): readonly Loaded[] {
    return [...this.loaded.values()];
  }

  get refused(): readonly Refused[] {
    return [...this.refusals.values()];
  }

  /** The rule sets of this host, loaded or not. */
  places(): ReturnType<typeof findRuleSets> {
    return findRuleSets(this.options.dataDir, this.options.crsDir);
  }

  /**
   * Puts a set in force everywhere, reading it anew.
   * @throws RefusalError when there is no such set, when it is refused, or when it should be tried beside itself.
   */
  async activate(name: string, how: Activation = {}): Promise<Stage> {
    requireAnother(name, this.stage.active, how);
    await this.loadAnew(name);
    await this.shared.change((before) => {
      this.readRevision = (before.revision ?? 0) + 1;
      return { ...staged({ active: this.stage.active, ...before }, name, how), revision: this.readRevision };
    });
    await this.following;
    return this.stage;
  }

  /** Ends a canary or a shadow; without either the set before this one is in force again. */
  async rollback(): Promise<Stage> {
    const { canary, shadow, previous } = this.stage;
    if (!canary && shadow === undefined && previous === undefined)
      throw new RefusalError(
        refuse('CATALOG_NOT_FOUND', { kind: 'rule set before this one', name: this.stage.active }),
      );
    if (canary || shadow !== undefined) {
      await this.shared.change(({ canary: _, shadow: __, ...rest }) => rest);
    } else {
      await this.load(previous!);
      await this.shared.change(({ revision }) => ({
        active: previous!,
        previous: this.stage.active,
        ...(revision !== undefined && { revision }),
      }));
    }
    await this.following;
    return this.stage;
  }

  async close(): Promise<void> {
    await this.shared.close();
    await this.following;
  }

  private rulesNamed(name: string, plan: Plan): RulesInForce | undefined {
    const loaded = this.loaded.get(name);
    if (loaded) return loaded.programs.of(plan);
    // A route may name a set nobody has asked for yet; until it is there the one in force decides.
    if (!this.refusals.has(name)) void this.load(name).catch(() => undefined);
    return this.active.programs.of(plan);
  }

  private async prepare(programs: Programs): Promise<void> {
    const { expected } = this;
    for (const plan of expected) {
      // A newer configuration has come: it asks for its own.
      if (expected !== this.expected) return;
      if (plan.mode === 'off' || programs.has(plan)) continue;
      programs.of(plan);
      await new Promise(setImmediate);
    }
  }

  /** At the start nobody waits: the first set that can be used is compiled here and now. */
  private async start(wanted: StageDocument): Promise<void> {
    const places = await this.places();
    const named = places.filter(({ name }) => name === wanted.active);
    for (const place of [...named, ...places.filter(({ name }) => name !== wanted.active)]) {
      try {
        await this.compile(await this.read(place), 0);
        return await this.begin(place.name, wanted);
      } catch (error) {
        this.refuse(place.name, place.origin, problemOf(error));
        if (place.name === (wanted.active ?? places[0]!.name) && (await this.startFromLastGood(wanted))) return;
      }
    }
    throw new Error('not even the rules of our own can be compiled');
  }

  private async startFromLastGood(wanted: StageDocument): Promise<boolean> {
    const text = await readFile(this.lastGoodFile, 'utf8').catch(() => undefined);
    if (text === undefined) return false;
    try {
      const kept = JSON.parse(text) as RuleSetText;
      await this.compile(kept, 0);
      this.options.logger.warn({ ruleset: kept.name }, 'the rule set on disk is refused; the last good one runs');
      await this.begin(kept.name, wanted);
      return true;
    } catch {
      return false;
    }
  }

  private async begin(active: string, wanted: StageDocument): Promise<void> {
    this.stage = { ...wanted, active };
    this.readRevision = wanted.revision ?? 0;
    const { canary, shadow } = wanted;
    for (const name of [canary?.name, shadow]) if (name !== undefined) await this.load(name).catch(() => undefined);
    this.options.onActivated(active, undefined);
  }

  /** Another replica, or somebody through this one, has changed what is in force. */
  private async follow(wanted: StageDocument): Promise<void> {
    const before = this.stage;
    const next: Stage = { ...wanted, active: wanted.active ?? before.active };
    const isNews = (next.revision ?? 0) > this.readRevision;
    try {
      for (const name of [next.active, next.canary?.name, next.shadow])
        if (name !== undefined) await (isNews ? this.loadAnew(name) : this.load(name));
      this.readRevision = next.revision ?? this.readRevision;
    } catch {
      // It was told why; what is in force here stays.
      return;
    }
    this.stage = next;
    if (next.active !== before.active) {
      this.options.onActivated(next.active, before.active);
    }
  }

  private load(name: string): Promise<Loaded> {
    const known = this.loaded.get(name);
    return known ? Promise.resolve(known) : this.loadAnew(name);
  }

  private loadAnew(name: string): Promise<Loaded> {
    let loading = this.loading.get(name);
    if (!loading) {
      loading = this.tryAndCompile(name).finally(() => this.loading.delete(name));
      this.loading.set(name, loading);
    }
    return loading;
  }

  private async tryAndCompile(name: string): Promise<Loaded> {
    const place = (await this.places()).find((candidate) => candidate.name === name);
    if (!place) throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'rule set', name }));
    let tried: Tried;
    let text: RuleSetText | undefined;
    try {
      text = await this.read(place);
      tried = await this.options.trial(text);
    } catch (error) {
      tried = { ok: false, problem: problemOf(error) };
    }
    const problem = tried.ok ? this.costly(place.name, tried.cpuMicros) : tried.problem;
    if (problem) {
      this.refuse(name, place.origin, problem);
      throw new RefusalError(refuse('WAF_RULESET_REFUSED', { name, reason: describeProblem(problem) }));
    }
    this.refusals.delete(name);
    return this.compile(text!, tried.ok ? tried.cpuMicros : 0);
  }

  /** Rule sets of the same kind are compared; our own is so small that every other is costly beside it. */
  private costly(name: string, cpuMicros: number): Problem | undefined {
    const { active } = this;
    if (active.text.origin === 'built-in' || active.cpuMicros === 0 || name === active.text.name) return undefined;
    const most = Math.max(CHEAP_MICROS, MOST_TIMES_THE_COST * active.cpuMicros);
    if (cpuMicros <= most) return undefined;
    const text = `a plain request takes ${cpuMicros} µs, more than twice the ${active.cpuMicros} µs of ${active.text.name}`;
    return { place: undefined, text };
  }

  private async read(place: RuleSetPlace): Promise<RuleSetText> {
    const text = await readRuleSet(place);
    return this.options.testMode ? { ...text, files: [MARKER, ...text.files] } : text;
  }

  private async compile(text: RuleSetText, cpuMicros: number): Promise<Loaded> {
    const { clock } = this.options;
    const compiling = compilingRuleSet(sourceOf(text));
    // At the start nobody waits, and the sooner it is there the better.
    const ruleSet = this.started
      ? await inSlices(compiling, { clock, budgetMs: COMPILE_BUDGET_MS })
      : atOnce(compiling);
    const { name, origin, sha256, ownMethods } = text;
    const programs = new Programs(ruleSet, { name, ownMethods }, clock);
    await warmUp(programs.of(PLAIN), this.started ? 1 : WARM_UP_ROUNDS);
    await this.prepare(programs);
    const loaded = { text: { name, origin, sha256, ownMethods }, ruleSet, programs, cpuMicros, loadedAt: clock.now() };
    this.loaded.set(name, loaded);
    if (origin !== 'built-in') await this.keepLastGood(text);
    return loaded;
  }

  private refuse(name: string, origin: Origin, problem: Problem): void {
    const refused = { name, origin, problem, at: this.options.clock.now() };
    this.refusals.set(name, refused);
    this.options.onRefused(refused);
  }

  private get lastGoodFile(): string {
    return join(this.options.dataDir, 'waf', 'last-good.json');
  }

  private async keepLastGood(text: RuleSetText): Promise<void> {
    const file = this.lastGoodFile;
    try {
      await mkdir(join(this.options.dataDir, 'waf'), { recursive: true });
      await writeFile(`${file}.new`, JSON.stringify(text), { mode: 0o600 });
      await rename(`${file}.new`, file);
    } catch (error) {
      this.options.logger.warn({ err: error, file }, 'the rule set could not be kept on disk');
    }
  }
}

/** A request that carries the marker of a test run writes it into the log, and nothing else looks at it. */
const MARKER = {
  name: 'marker of test runs',
  text: `SecRule REQUEST_HEADERS:X-CRS-Test "@rx ^.+$" "id:1009999,phase:1,pass,t:none,log,msg:'X-CRS-Test %{MATCHED_VAR}',ctl:ruleRemoveById=1-1009998"\n`,
};

/** The plan of a route that says nothing. */
const PLAIN = compilePlan('structural:block');
/** Plans of routes that say little, and of the model endpoints, which no configuration names. */
const EXPECTED_PLANS = [PLAIN, ...['structural:detect', 'llm:block'].map(compilePlan)];
/** Of a configuration in which every route is inspected in a way of its own; the rest are made when they are asked for. */
const MOST_EXPECTED = 500;

const COMPILE_BUDGET_MS = 30_000;
/** At the start nothing of the engine has run yet either. */
const WARM_UP_ROUNDS = 10;

export function describeProblem({ place, text }: Problem): string {
  return place === undefined ? text : `${place}: ${text}`;
}

/** Whether the id of a route begins with one of these, in whole segments. */
export function isOfRoutes(route: string, routes: readonly string[] | undefined): boolean {
  return routes?.some((start) => route === start || route.startsWith(`${start}/`)) ?? true;
}

/** Whether a set is to be tried on some requests, or in the shadow, while another one is in force. */
function isTrial({ percent = 100, routes, shadow }: Activation): boolean {
  return shadow === true || percent < 100 || routes !== undefined;
}

/** @throws RefusalError when a set should be tried beside itself */
function requireAnother(name: string, active: string, how: Activation): void {
  if (!isTrial(how) || name !== active) return;
  const reason = `“${name}” is in force already, and can be tried beside another set only`;
  throw new RefusalError(refuse('CATALOG_CONFLICT', { reason }));
}

function staged(before: Stage, name: string, how: Activation): Stage {
  // Another replica may have put it in force while it was being read.
  requireAnother(name, before.active, how);
  const { percent = 100, routes, shadow } = how;
  if (shadow) return { ...before, shadow: name };
  if (isTrial(how)) return { ...before, canary: { name, percent, ...(routes && { routes: [...routes] }) } };
  const previous = name === before.active ? before.previous : before.active;
  return { active: name, ...(previous !== undefined && { previous }) };
}
