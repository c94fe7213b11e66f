import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buckets, systemClock, type Clock, type WafSettings } from '@sallyport/contracts';
import { createEmbeddedBus, createLogger, type Bus, type Kv, type KvEntry } from '@sallyport/platform';
import { compilePlan, compileRuleSet, Engine, planId, type InspectionAnswer, type Inspector } from '@sallyport/waf';
import { answerUnderTest, headUnderTest, inspectionUnderTest } from '../../../../libs/waf/src/inspector.suite';
import { GuardedInspector, type Compared, type GuardedOptions } from '../guarded-inspector';
import { KillSwitches } from '../kills/kill-switches';
import { findRuleSets, readRuleSet, sourceOf, type RuleSetText } from './rule-files';
import { RuleSets, type Activation, type Refused } from './rule-sets';
import { problemOf } from './trial';

const logger = createLogger({ app: 'waf', node: 'test', level: 'silent' });
let folder: string;
let bus: Bus;
const open: { close(): Promise<void> }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sp-'));
  bus = createEmbeddedBus(systemClock);
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await bus.drain();
  rmSync(folder, { recursive: true });
});

/** Puts a set with one rule on the disk: it refuses what the pattern is found in. */
function install(version: string, word: string, extra = ''): void {
  const rules = join(folder, 'crs', version, 'rules');
  mkdirSync(rules, { recursive: true });
  writeFileSync(
    join(rules, 'REQUEST-901-INITIALIZATION.conf'),
    [
      `SecComponentSignature "OWASP_CRS/${version}"`,
      `SecRule ARGS "@contains ${word}" "id:100,phase:2,deny,status:403,t:none,msg:'found ${word}',tag:'attack-test'"`,
      extra,
      '',
    ].join('\n'),
  );
}

const compilesOnly = async (text: RuleSetText) => {
  try {
    const { rules } = compileRuleSet(sourceOf(text));
    return { ok: true as const, rules: rules.length, warnings: [], cpuMicros: 100 };
  } catch (error) {
    return { ok: false as const, problem: problemOf(error) };
  }
};

interface More {
  readonly bus?: Bus;
  readonly chance?: () => number;
  readonly dataDir?: string;
  readonly crsDir?: string;
  readonly clock?: Clock;
}

async function start(more: More = {}) {
  const [activated, refused]: [string[], Refused[]] = [[], []];
  const sets = await RuleSets.open({
    bus,
    dataDir: folder,
    crsDir: undefined,
    clock: systemClock,
    logger,
    chance: () => 0.5,
    trial: compilesOnly,
    testMode: false,
    onActivated: (name) => activated.push(name),
    onRefused: (one) => refused.push(one),
    ...more,
  });
  open.push(sets);
  const { clock = systemClock } = more;
  const engine = new Engine({ rules: (plan) => sets.rulesFor(plan), now: () => clock.now() });
  return { sets, engine, activated, refused };
}

const textOf = (entry: KvEntry | undefined): string => Buffer.from(entry!.value).toString();

/** What is said of one request, when all is said. */
function ask(
  inspector: Inspector,
  query: string,
  plan = 'structural:block',
  route?: string,
): Promise<InspectionAnswer> {
  const opening = { head: headUnderTest({ query }), plan, tenant: 'default', requestId: 'req_1' };
  return new Promise((resolve) => inspector.open({ ...opening, ...(route !== undefined && { route }) }, resolve));
}

const verdict = async (inspector: Inspector, query: string, plan?: string) =>
  (await ask(inspector, query, plan)).verdict === 'refuse';

describe('the set that is in force everywhere', () => {
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise(setImmediate);
  };

  it('is followed, too, when it is changed while a replica starts', async () => {
    install('4.9.0', 'oldword');
    install('4.28.0', 'newword');
    const first = await start();
    await first.sets.activate('crs-4.9.0');
    const kv = await bus.kv(buckets.waf);
    const busy = { ...(JSON.parse(textOf(await kv.get('stage'))) as object), active: 'crs-4.28.0', revision: 2 };
    // As soon as it has read what is in force, that is something else.
    const change = () => setImmediate(() => void kv.put('stage', Buffer.from(JSON.stringify(busy))));
    const changing: Bus = Object.assign(Object.create(bus) as Bus, {
      kv: async (): Promise<Kv> =>
        Object.assign(Object.create(kv) as Kv, {
          watch: (told: (entry: KvEntry) => void, current: () => void, key: string) =>
            kv.watch(told, () => (current(), change()), key),
        }),
    });
    const { sets } = await start({ bus: changing });
    await until(() => sets.current.active === 'crs-4.28.0');
  });

  it('is the last one that was heard of where a start finds no bus, and the present one once it does', async () => {
    install('4.9.0', 'oldword');
    install('4.28.0', 'newword');
    const before = await start();
    await before.sets.activate('crs-4.9.0');
    await before.sets.close();
    let arrive!: () => void;
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const late: Bus = Object.assign(Object.create(bus) as Bus, {
      health: () => ({ connected: false, detail: 'not reached yet' }),
      kv: async (): Promise<Kv> =>
        Object.assign(Object.create(await bus.kv(buckets.waf)) as Kv, {
          watch: async (...how: Parameters<Kv['watch']>) => {
            void arrived.then(async () => (await bus.kv(buckets.waf)).watch(...how));
            return { stop: async () => undefined };
          },
        }),
    });
    const { sets, engine } = await start({ bus: late });
    expect(sets.current.active).toBe('crs-4.9.0');
    expect(await verdict(engine, 'q=oldword')).toBe(true);
    const other = await start();
    await other.sets.activate('crs-4.28.0');
    arrive();
    await until(() => sets.current.active === 'crs-4.28.0');
  });
});

describe('a rule set that a route names', () => {
  it('decides there and nowhere else, and is there before the first request', async () => {
    install('4.9.0', 'oldword');
    install('4.28.0', 'newword');
    const { sets, engine, refused } = await start({ chance: () => 0 });
    await sets.activate('crs-4.9.0');
    const staged = planId({ ruleset: 'crs-4.28.0' });
    await sets.expect([staged]);
    while (!sets.sets.some(({ text }) => text.name === 'crs-4.28.0')) await new Promise(setImmediate);
    expect(await ask(engine, 'q=newword', staged)).toMatchObject({ verdict: 'refuse', ruleset: 'crs-4.28.0' });
    expect(await verdict(engine, 'q=oldword', staged)).toBe(false);
    expect(await ask(engine, 'q=newword')).toMatchObject({ ruleset: 'crs-4.9.0' });
    expect([await verdict(engine, 'q=newword'), await verdict(engine, 'q=oldword')]).toEqual([false, true]);
    expect([sets.current.active, refused]).toEqual(['crs-4.9.0', []]);
  });

  it('is stood in for by the one in force where it is refused', async () => {
    install('4.9.0', 'oldword');
    const { sets, engine } = await start();
    const staged = planId({ ruleset: 'crs-9.9.9' });
    await sets.expect([staged]);
    expect(await ask(engine, 'q=oldword', staged)).toMatchObject({ verdict: 'refuse', ruleset: 'crs-4.9.0' });
  });
});

describe('the search for rule sets', () => {
  it('takes that of the environment, then the newest that is installed, and has ours at the end', async () => {
    install('4.9.0', 'one');
    install('4.28.0', 'two');
    const names = (await findRuleSets(folder, undefined)).map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(['crs-4.28.0', 'crs-4.9.0']);
    expect(names.at(-1)).toBe('built-in');
    const [first] = await findRuleSets('/nowhere', join(folder, 'crs', '4.9.0'));
    expect(first).toMatchObject({ name: 'crs-4.9.0', origin: 'environment' });
    expect((await findRuleSets(folder, 'none')).map(({ name }) => name)).toEqual(['built-in']);
  });

  it('reads the setup of the user, and the rules put before and after', async () => {
    install('4.28.0', 'two');
    const directory = join(folder, 'crs', '4.28.0');
    writeFileSync(
      join(directory, 'crs-setup.conf'),
      '# setup\nSecAction "id:1,phase:1,pass,setvar:tx.allowed_methods=GET"\n',
    );
    for (const name of ['before', 'after']) {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, 'mine.conf'), '# mine\n');
    }
    const text = await readRuleSet((await findRuleSets(folder, undefined))[0]!);
    const own = text.files.map(({ name }) => name).filter((name) => name.startsWith(directory));
    expect(own.map((name) => name.slice(directory.length))).toEqual([
      '/crs-setup.conf',
      '/before/mine.conf',
      '/rules/REQUEST-901-INITIALIZATION.conf',
      '/after/mine.conf',
    ]);
    expect(text.ownMethods).toBe(true);
  });
});

describe('rule sets in force', () => {
  it('begin with the newest installed one, and say so', async () => {
    install('4.28.0', 'evilword');
    const { engine, activated } = await start();
    expect(activated).toEqual(['crs-4.28.0']);
    expect(await ask(engine, 'q=evilword')).toMatchObject({ verdict: 'refuse', ruleset: 'crs-4.28.0' });
    expect(await verdict(engine, 'q=other')).toBe(false);
  });

  it('are warm before they decide: the first chat is inspected whole', async () => {
    const { sets } = await start({ crsDir: 'none' });
    const used = () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    };
    const engine = new Engine({ rules: (plan) => sets.rulesFor(plan), used });
    const head = headUnderTest({ method: 'POST', path: '/v1/chat/completions', mediaType: 'application/json' });
    const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'a text nobody has sent before' }] });
    const answer = await new Promise<InspectionAnswer>((resolve) => {
      const opening = { head, plan: 'llm:block', tenant: 'default', requestId: 'req_1' };
      const inspection = engine.open(opening, (given) => given.point === 'request-body' && resolve(given));
      inspection.body(Buffer.from(body));
      inspection.bodyEnd();
    });
    expect(answer).toMatchObject({ inspected: { extent: 'full' }, ruleset: 'built-in' });
    expect(answer.verdict).not.toBe('refuse');
  });

  it('have the program of a route made before its first request, also those that come later', async () => {
    install('4.27.0', 'oldword');
    const { sets } = await start();
    const plan = planId({ exclude: [{ rule: 100, target: 'ARGS:q', reason: 'searches' }] });
    expect(sets.active.programs.has(compilePlan(plan))).toBe(false);
    await sets.expect(['off', plan]);
    expect(sets.active.programs.has(compilePlan(plan))).toBe(true);
    install('4.28.0', 'newword');
    await sets.activate('crs-4.28.0');
    expect(sets.active.text.name).toBe('crs-4.28.0');
    expect(sets.active.programs.has(compilePlan(plan))).toBe(true);
  });

  it('run plans alike by one program where they differ in nothing a rule sees', async () => {
    install('4.28.0', 'evilword');
    const { sets } = await start();
    const programOf = (settings: WafSettings) => sets.rulesFor(compilePlan(planId(settings)))!.program;
    const exclude = (reason: string) => [{ rule: 100, reason }];
    const alike = (one: WafSettings, other: WafSettings) => programOf(one) === programOf(other);
    expect(alike({ response: { inspect: true }, body: { inspect: '8KiB' } }, {})).toBe(true);
    expect(alike({ exclude: exclude('one reason') }, { exclude: exclude('another') })).toBe(true);
    expect(alike({ exclude: exclude('one reason') }, {})).toBe(false);
    expect(alike({ paranoia: { detect: 2, block: 1 } }, {})).toBe(false);
  });

  it('forget an exclusion when it has ended', async () => {
    install('4.28.0', 'evilword');
    let now = Date.parse('2026-11-28T12:00:00Z');
    const { engine } = await start({ clock: { now: () => now, monotonic: () => performance.now() } });
    const plan = planId({ exclude: [{ rule: 100, reason: 'until it is mended', expires: '2026-11-29T00:00:00Z' }] });
    expect(await verdict(engine, 'q=evilword', plan)).toBe(false);
    now += 86_400_000;
    expect(await verdict(engine, 'q=evilword', plan)).toBe(true);
  });

  it('change in one step, everywhere, and go back', async () => {
    install('4.27.0', 'oldword');
    const { sets, engine } = await start();
    const elsewhere = await start({ dataDir: folder });
    install('4.28.0', 'newword');
    await sets.activate('crs-4.28.0');
    expect([await verdict(engine, 'q=newword'), await verdict(engine, 'q=oldword')]).toEqual([true, false]);
    for (let wait = 0; elsewhere.activated.length < 2 && wait < 500; wait++)
      await new Promise((r) => setTimeout(r, 10));
    expect(await verdict(elsewhere.engine, 'q=newword')).toBe(true);
    await sets.rollback();
    expect([await verdict(engine, 'q=newword'), await verdict(engine, 'q=oldword')]).toEqual([false, true]);
  });

  it.each([
    ['an unknown directive', 'SecNonsense On', /REQUEST-901-INITIALIZATION\.conf:3/],
    ['a rule that cannot be read', 'SecRule ARGS "@rx (" "id:101,phase:2,deny"', /:3.*SecRule/],
    ['a missing data file', 'SecRule ARGS "@pmFromFile gone.data" "id:101,phase:2,deny"', /:3.*gone\.data/],
    ['a number used twice', 'SecRule ARGS "@contains x" "id:100,phase:2,deny"', /:3.*100/],
  ])('are refused as a whole with the place for %s, and the one in force stays', async (_, line, place) => {
    install('4.27.0', 'oldword');
    const { sets, engine, refused } = await start();
    install('4.28.0', 'newword', line);
    await expect(sets.activate('crs-4.28.0')).rejects.toThrow(place);
    expect(refused).toMatchObject([{ name: 'crs-4.28.0', origin: 'installed' }]);
    expect([await verdict(engine, 'q=oldword'), await verdict(engine, 'q=newword')]).toEqual([true, false]);
  });

  it('come from the last good copy when the files have been broken since', async () => {
    install('4.28.0', 'evilword');
    const first = await start();
    await first.sets.activate('crs-4.28.0');
    await open.pop()!.close();
    install('4.28.0', 'evilword', 'SecNonsense On');
    bus = createEmbeddedBus(systemClock);
    const again = await start();
    expect(again.refused).toHaveLength(1);
    expect(await ask(again.engine, 'q=evilword')).toMatchObject({ verdict: 'refuse', ruleset: 'crs-4.28.0' });
  });

  it.each<[string, Activation]>([
    ['in the shadow', { shadow: true }],
    ['for a share of the requests', { percent: 10 }],
    ['on some routes', { routes: ['orders'] }],
  ])('cannot be tried %s of itself', async (_, how) => {
    install('4.27.0', 'oldword');
    const { sets } = await start();
    await sets.activate('crs-4.27.0');
    await expect(sets.activate('crs-4.27.0', how)).rejects.toThrow(/“crs-4\.27\.0” is in force already/);
    expect(sets.current).toMatchObject({ active: 'crs-4.27.0' });
    expect([sets.current.shadow, sets.current.canary]).toEqual([undefined, undefined]);
  });

  it('let a canary decide about its share, and a route name its own', async () => {
    let chance = 0.05;
    const { sets, inspector } = await onTrial({ percent: 10 }, { chance: () => chance });
    expect([await verdict(inspector, 'q=newword'), sets.current.active]).toEqual([true, 'crs-4.27.0']);
    chance = 0.5;
    expect(await verdict(inspector, 'q=newword')).toBe(false);
    expect(await verdict(inspector, 'q=newword', 'structural:block:{"ruleset":"crs-4.28.0"}')).toBe(true);
    await sets.rollback();
    expect(sets.current).toMatchObject({ active: 'crs-4.27.0' });
    expect(sets.current.canary).toBeUndefined();
  });

  it('let a canary decide on the routes it names and on no other, by whole segments', async () => {
    const { inspector } = await onTrial({ routes: ['shop/v1', 'billing/v2/pay'] });
    const refused = async (route?: string) =>
      (await ask(inspector, 'q=newword', 'structural:block', route)).verdict === 'refuse';
    for (const route of ['shop/v1/search', 'shop/v1', 'billing/v2/pay']) expect(await refused(route)).toBe(true);
    for (const route of ['shop/v10/search', 'shops/v1/a', 'billing/v2/payments', 'shop', undefined])
      expect(await refused(route)).toBe(false);
  });

  it('let a canary decide about a share of the requests of its routes', async () => {
    let chance = 0.05;
    const { inspector } = await onTrial({ routes: ['shop'], percent: 10 }, { chance: () => chance });
    const refused = async (route: string) =>
      (await ask(inspector, 'q=newword', 'structural:block', route)).verdict === 'refuse';
    expect([await refused('shop/v1/a'), await refused('other/v1/a')]).toEqual([true, false]);
    chance = 0.5;
    expect(await refused('shop/v1/a')).toBe(false);
  });

  it('are those in force where a canary cannot be read on this replica', async () => {
    const { sets } = await onTrial({ percent: 50 }, { chance: () => 0 });
    await sets.close();
    rmSync(join(folder, 'crs', '4.28.0'), { recursive: true });
    const again = await start({ chance: () => 0 });
    expect(again.sets.current.canary).toMatchObject({ name: 'crs-4.28.0' });
    expect(await ask(guarded(again.sets, again.engine).inspector, 'q=oldword')).toMatchObject({
      verdict: 'refuse',
      ruleset: 'crs-4.27.0',
    });
  });

  it('compare what a set in the shadow would find and refuse, which decides nothing', async () => {
    const { inspector, seen } = await onTrial({ shadow: true });
    for (const query of ['q=newword', 'q=oldword', 'q=plain']) await inspect(inspector, query, 'shop/v1/search');
    expect(seen).toMatchObject([
      { trial: 'shadow', route: 'shop/v1/search', requestId: 'req_1' },
      { candidate: { ruleset: 'crs-4.28.0', refused: false }, inForce: { refused: true } },
      { candidate: { refused: false }, inForce: { refused: false } },
    ]);
    expect(seen[0]).toMatchObject({ candidate: { refused: true, isDone: true }, inForce: { refused: false } });
    expect([...seen[0]!.candidate.rules]).toEqual([100]);
  });

  it('compare what a canary has decided with what the one in force would have', async () => {
    const { inspector, seen } = await onTrial({ routes: ['shop'] });
    await inspect(inspector, 'q=newword', 'shop/v1/search');
    await inspect(inspector, 'q=newword', 'other/v1/search');
    expect(seen).toMatchObject([
      {
        trial: 'canary',
        candidate: { ruleset: 'crs-4.28.0', refused: true },
        inForce: { ruleset: 'crs-4.27.0', refused: false, isDone: true },
      },
    ]);
  });
});

/** Two sets, the newer of them on trial, and the inspector that tells what both have seen. */
async function onTrial(how: Activation, more: Parameters<typeof start>[0] = {}) {
  install('4.27.0', 'oldword');
  install('4.28.0', 'newword');
  const { sets, engine } = await start(more);
  await sets.activate('crs-4.27.0');
  await sets.activate('crs-4.28.0', how);
  return { sets, ...guarded(sets, engine) };
}

function guarded(sets: RuleSets, deciding: Engine) {
  const seen: Compared[] = [];
  const kills = { planFor: (id: string) => id, all: false };
  const onCompared = (compared: Compared) => void seen.push(compared);
  return { inspector: new GuardedInspector({ deciding, watching: new Engine(), kills, sets, onCompared }), seen };
}

/** One request to its end. */
async function inspect(inspector: Inspector, query: string, route: string): Promise<void> {
  let answered: InspectionAnswer | undefined;
  const opening = { head: headUnderTest({ query }), plan: 'structural:block', tenant: '', requestId: 'req_1', route };
  const inspection = inspector.open(opening, (answer) => {
    answered = answer;
  });
  while (!answered) await new Promise(setImmediate);
  inspection.close('ok');
}

describe('kill switches', () => {
  // One clock for the switches and for the sets whose rules they switch off: the end of a switch is an end for both.
  let now = Date.parse('2026-11-28T12:00:00Z');
  const clock = { now: () => now, monotonic: () => performance.now() };
  const random = (bytes: number) => Buffer.alloc(bytes, 7);
  const killsIn = async (dataDir = folder) => {
    const told: string[] = [];
    const onKilled = ({ what }: { what: string }) => told.push(what);
    const kills = await KillSwitches.open({ bus, dataDir, clock, random, logger, onKilled });
    open.push(kills);
    return { kills, told };
  };
  const guardedBy = (deciding: GuardedOptions['deciding'], kills: KillSwitches) => {
    const sets = { isTrying: false, rolesFor: () => ({ decides: undefined }) };
    return new GuardedInspector({ deciding, watching: deciding, kills, sets, onCompared: () => undefined });
  };

  it('T52: switch off a rule while it is matching, everywhere, and end by themselves', async () => {
    install('4.28.0', 'evilword');
    const { engine } = await start({ clock });
    const [here, there] = [await killsIn(), await killsIn(join(folder, 'other'))];
    const [inspector, other] = [here, there].map(({ kills }) => guardedBy(engine, kills));
    expect(await verdict(inspector!, 'q=evilword')).toBe(true);
    await here.kills.kill('100', 60_000, 'it matches every order', 'admin');
    for (let wait = 0; there.told.length === 0 && wait < 500; wait++) await new Promise((r) => setTimeout(r, 10));
    expect([await verdict(inspector!, 'q=evilword'), await verdict(other!, 'q=evilword')]).toEqual([false, false]);
    now += 61_000;
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect([here.kills.list, await verdict(inspector!, 'q=evilword')]).toEqual([[], true]);
  });

  it('switch off by tag, and everything, which the answer says', async () => {
    install('4.28.0', 'evilword');
    const { engine } = await start({ clock });
    const { kills } = await killsIn();
    const inspector = guardedBy(engine, kills);
    const byTag = await kills.kill('tag:attack-test', 60_000, 'a whole kind', 'admin');
    expect(await verdict(inspector, 'q=evilword')).toBe(false);
    await kills.end(byTag.id);
    expect(await verdict(inspector, 'q=evilword')).toBe(true);
    await kills.kill('all', 60_000, 'nothing works', 'admin');
    expect(await ask(inspector, 'q=evilword&f=../../x')).toMatchObject({
      verdict: 'pass',
      inspected: { extent: 'skipped', why: 'killed' },
    });
  });

  it('hold from a file of the host where there is no bus to tell them', async () => {
    install('4.28.0', 'evilword');
    const { engine } = await start({ clock });
    const { kills, told } = await killsIn();
    const inspector = guardedBy(engine, kills);
    const until = new Date(now + 60_000).toISOString();
    mkdirSync(join(folder, 'waf'), { recursive: true });
    writeFileSync(
      join(folder, 'waf', 'kill-switches.json'),
      JSON.stringify([{ what: '100', reason: 'by hand', until }]),
    );
    for (let wait = 0; told.length === 0 && wait < 300; wait++) await new Promise((r) => setTimeout(r, 10));
    expect(await verdict(inspector, 'q=evilword')).toBe(false);
  });

  it('leave plans alone while none holds', async () => {
    const { kills } = await killsIn();
    expect(kills.planFor('structural:block')).toBe('structural:block');
    await kills.kill('942000-942999', 60_000, 'why not', 'admin');
    expect(compilePlan(kills.planFor('structural:block')).killed).toMatchObject([{ rules: { from: 942_000 } }]);
    const inspector = guardedBy(
      { openWith: () => inspectionUnderTest, malformed: ({ plan }, say) => say(answerUnderTest({ ruleset: plan })) },
      kills,
    );
    const heard: string[] = [];
    inspector.malformed(
      { packet: Buffer.alloc(0), plan: 'structural:detect', tenant: '', requestId: '', clientAddress: '' },
      ({ ruleset }) => heard.push(ruleset),
    );
    expect(heard[0]).toContain('942000-942999');
  });
});
