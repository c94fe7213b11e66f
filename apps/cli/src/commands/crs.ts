import { resolve } from 'node:path';
import type { RuleSetComparison } from '@sallyport/contracts';
import { adminClient, dataDirectories, LONG_TIMEOUT_MS } from '../admin-client';
import type { Command, Invocation } from '../command-line';
import { installedVersions, placeOf, removeRelease, writeRelease } from '../crs/installed';
import { differences, knownVersions, manifestOf, type Manifest } from '../crs/manifest';
import { fetchRelease, readRelease } from '../crs/release';
import { exitCodes, Failure, usageFailure } from '../failure';
import { listing, plain } from '../output';
import type { World } from '../world';

const PATH = '/api/waf/v1/rulesets';
const [NEWEST = ''] = knownVersions;

/** A rule set as the admin API shows it. */
interface RuleSetView {
  readonly name: string;
  readonly origin: string;
  readonly state: string;
  readonly percent: number | null;
  readonly routes: readonly string[] | null;
  readonly rules: number | null;
  readonly cpuMicros: number | null;
  readonly problem: string | null;
}

interface Stage {
  readonly active: string;
  readonly previous?: string;
  readonly canary?: { readonly name: string; readonly percent: number; readonly routes?: readonly string[] };
  readonly shadow?: string;
}

const DATA = { name: 'data', value: 'FOLDER', summary: 'Data folder (SALLYPORT_DATA_DIR).' };
const VERSION = { name: 'version', value: 'VERSION', summary: `Release; default: ${NEWEST}.` };

export const crsInstall: Command = {
  name: 'crs install',
  summary: 'Install a release of the OWASP CRS on this host, checked file by file.',
  operands: [],
  options: [
    VERSION,
    { name: 'from', value: 'PATH', summary: 'A folder or .tar.gz at hand instead of the published archive.' },
    DATA,
  ],
  examples: ['crs install', 'crs install --version 4.28.0 --from coreruleset-4.28.0.tar.gz'],
  async run(invocation, world, output) {
    const manifest = wanted(invocation);
    const from = invocation.text('from');
    const files =
      from === undefined ? await fetchRelease(manifest.archive) : await readRelease(resolve(world.directory, from));
    refuseUnless(differences(manifest, files), manifest.version);
    const place = await writeRelease(dataDirOf(invocation, world), manifest, files);
    const count = Object.keys(manifest.files).length;
    const installed = `crs-${manifest.version}`;
    output.result(
      { installed, place, files: count },
      `installed ${installed} in ${place}: ${count} files, each as published`,
    );
    output.note(`it is tried and put in force by: sallyport crs activate ${installed}`);
    return exitCodes.done;
  },
};

export const crsVerify: Command = {
  name: 'crs verify',
  summary: 'Compare an installed release with what was published, file by file.',
  operands: [],
  options: [VERSION, DATA],
  examples: ['crs verify', 'crs verify --version 4.28.0 --json'],
  async run(invocation, world, output) {
    const manifest = wanted(invocation);
    const files = await readRelease(placeOf(dataDirOf(invocation, world), manifest.version));
    const found = differences(manifest, files);
    const { version } = manifest;
    const lines = found.length === 0 ? [`crs-${version}: every file is as published`] : found;
    output.result({ version, differences: found }, ...lines);
    return found.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};

export const crsRemove: Command = {
  name: 'crs remove',
  summary: 'Remove an installed release from this host.',
  operands: ['VERSION'],
  options: [DATA],
  examples: ['crs remove 4.28.0', 'crs remove 4.28.0 --data /var/lib/sallyport'],
  async run(invocation, world, output) {
    // As `crs list` names it, or as the release does.
    const version = (invocation.operands[0] ?? '').replace(/^crs-/, '');
    const dataDir = dataDirOf(invocation, world);
    const installed = await installedVersions(dataDir);
    if (!installed.includes(version)) {
      throw new Failure(`crs-${plain(version)} is not installed in ${dataDir}.`, {
        exitCode: exitCodes.failed,
        next: 'sallyport crs list',
      });
    }
    await refuseIfActive(`crs-${version}`, invocation, world);
    await removeRelease(dataDir, version);
    output.result({ removed: `crs-${version}` }, `removed crs-${version}`);
    return exitCodes.done;
  },
};

export const crsList: Command = {
  name: 'crs list',
  summary: 'List rule sets: what is in force, what could be, and what was refused and why.',
  operands: [],
  options: [],
  examples: ['crs list', 'crs list --json'],
  async run(invocation, world, output) {
    const admin = adminClient(invocation.text('server'), world);
    const { items } = await admin.get<{ items: readonly RuleSetView[] }>(PATH);
    const rows = items.map(({ name, origin, state, percent, routes, rules, cpuMicros }) => [
      name,
      percent === null ? state : `${state} ${shareOf(percent, routes)}`,
      origin,
      rules === null ? '' : String(rules),
      cpuMicros ? `${cpuMicros} µs` : '',
    ]);
    const problems = items.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`]));
    output.result({ items }, ...listing(['NAME', 'STATE', 'FOUND', 'RULES', 'COST'], rows), ...problems);
    return exitCodes.done;
  },
};

export const crsActivate: Command = {
  name: 'crs activate',
  summary: 'Try a rule set and put it in force everywhere; the one before stays when it is refused.',
  operands: ['NAME'],
  options: [
    { name: 'percent', value: 'SHARE', summary: 'As a canary, for a share of the requests.' },
    {
      name: 'route',
      value: 'ROUTE',
      summary: 'As a canary, on these routes: shop, shop/v1 or shop/v1/search.',
      many: true,
    },
    { name: 'shadow', summary: 'Let it decide nothing, and count what it would find otherwise.' },
  ],
  examples: ['crs activate crs-4.28.0', 'crs activate crs-4.28.0 --route shop/v1/search --percent 5'],
  async run(invocation, world, output) {
    const [name = ''] = invocation.operands;
    const percent = invocation.whole('percent', { from: 0, to: 100 });
    const routes = invocation.texts('route');
    const body = {
      percent,
      ...(routes.length > 0 && { routes }),
      ...(invocation.has('shadow') && { shadow: true }),
    };
    const admin = adminClient(invocation.text('server'), world);
    const place = `${PATH}/${encodeURIComponent(name)}/activate`;
    const stage = await admin.post<Stage>(place, body, undefined, LONG_TIMEOUT_MS);
    output.result(stage, describe(stage));
    return exitCodes.done;
  },
};

export const crsCompare: Command = {
  name: 'crs compare',
  summary: 'Show what a canary or a set in the shadow refuses that the one in force does not, and the other way round.',
  operands: [],
  options: [],
  examples: ['crs compare', 'crs compare --json'],
  async run(invocation, world, output) {
    const admin = adminClient(invocation.text('server'), world);
    const { items } = await admin.get<{ items: readonly RuleSetComparison[] }>(`${PATH}/comparisons`);
    const lines = items.length === 0 ? ['no rule set is on trial, or no request has met one yet'] : items.flatMap(told);
    output.result({ items }, ...lines);
    return exitCodes.done;
  },
};

function told(comparison: RuleSetComparison): string[] {
  const { candidate, inForce, trial, since, requests, rules, untold } = comparison;
  const { refusedByBoth, refusedByCandidate, refusedByInForce, undecided } = comparison;
  const rows = rules
    .slice(0, MOST_SHOWN)
    .map(({ rule, route, foundBy, requests, refused, requestId }) => [
      String(rule),
      plain(route),
      foundBy === 'candidate' ? candidate : inForce,
      String(requests),
      String(refused),
      plain(requestId),
    ]);
  const left = rules.length - rows.length + untold;
  return [
    `${candidate} (${trial}) beside ${inForce} since ${since}: ${requests} requests`,
    `refused by both ${refusedByBoth}, by ${candidate} alone ${refusedByCandidate}, by ${inForce} alone ${refusedByInForce}, undecided ${undecided}`,
    ...(rows.length > 0 ? listing(['RULE', 'ROUTE', 'FOUND BY', 'REQUESTS', 'REFUSED', 'LATEST'], rows) : []),
    ...(left > 0 ? [`and ${left} more differences: --json shows those that are kept`] : []),
  ];
}

export const crsRollback: Command = {
  name: 'crs rollback',
  summary: 'End a canary or shadow; without either, put the rule set before this one in force again.',
  operands: [],
  options: [],
  examples: ['crs rollback', 'crs rollback --json'],
  async run(invocation, world, output) {
    const admin = adminClient(invocation.text('server'), world);
    const stage = await admin.post<Stage>(`${PATH}/rollback`, {}, undefined, LONG_TIMEOUT_MS);
    output.result(stage, describe(stage));
    return exitCodes.done;
  },
};

function describe({ active, canary, shadow }: Stage): string {
  const more = [
    canary && `${canary.name} decides ${shareOf(canary.percent, canary.routes)}`,
    shadow !== undefined && `${shadow} is in the shadow`,
  ].filter((part) => typeof part === 'string');
  return [`${active} is in force`, ...more].join('; ');
}

function shareOf(percent: number, routes?: readonly string[] | null): string {
  return `${percent} % of ${routes ? routes.join(', ') : 'the requests'}`;
}

function dataDirOf(invocation: Invocation, world: World): string {
  const named = invocation.text('data');
  return named === undefined ? dataDirectories(world)[0]! : resolve(world.directory, named);
}

/** @throws Failure (64) for a release whose files are not known. */
function wanted(invocation: Invocation): Manifest {
  const version = invocation.text('version') ?? NEWEST;
  const manifest = manifestOf(version);
  if (manifest) return manifest;
  throw usageFailure(
    `The files of CRS ${plain(version)} are not known here; those of ${knownVersions.join(', ')} are.`,
    'for any other: SALLYPORT_CRS_DIR=<folder>',
  );
}

const MOST_SHOWN = 20;

function refuseUnless(found: readonly string[], version: string): void {
  if (found.length === 0) return;
  const places = found.slice(0, MOST_SHOWN).map(plain);
  throw new Failure(`This is not CRS ${version} as it was published; nothing was installed.`, {
    exitCode: exitCodes.failed,
    places,
    next: 'fetch it again from where it is published, or set SALLYPORT_CRS_DIR to use it as it is',
  });
}

/** A server that cannot be asked cannot have it in force. */
async function refuseIfActive(name: string, invocation: Invocation, world: World): Promise<void> {
  const items = await adminClient(invocation.text('server'), world)
    .get<{ items: readonly RuleSetView[] }>(PATH)
    .then(
      (answer) => answer.items,
      () => [],
    );
  const state = items.find((item) => item.name === name)?.state;
  if (state === undefined || state === 'available' || state === 'refused' || state === 'loaded') return;
  throw new Failure(`${name} is ${state}.`, { exitCode: exitCodes.failed, next: 'sallyport crs activate built-in' });
}
