import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { builtInRules, type RuleFile, type RuleSource } from '@sallyport/waf';

/** Where a rule set was found. */
export type Origin = 'environment' | 'installed' | 'debian' | 'built-in';

/** A rule set that could be loaded. */
export interface RuleSetPlace {
  /** `crs-4.28.0`, `built-in` */
  readonly name: string;
  readonly origin: Origin;
  /** Folder of the rules; undefined for our own, which have none. */
  readonly rules: string | undefined;
  /** The user's setup; undefined: ours. */
  readonly setup: string | undefined;
  /** Folders of rules that users put around the set. */
  readonly around: readonly string[];
}

/** A rule set as text, with what tells it from another one. */
export interface RuleSetText {
  readonly name: string;
  readonly origin: Origin;
  readonly files: readonly RuleFile[];
  /** Data files by the path that rules give. */
  readonly data: Readonly<Record<string, string>>;
  /** Whether the setup says itself which methods there are. */
  readonly ownMethods: boolean;
  /** Of all of it, hexadecimal. */
  readonly sha256: string;
}

export const BUILT_IN: RuleSetPlace = {
  name: 'built-in',
  origin: 'built-in',
  rules: undefined,
  setup: undefined,
  around: [],
};

const DEBIAN = { rules: '/usr/share/modsecurity-crs/rules', etc: '/etc/modsecurity/crs' };

/** What `SALLYPORT_CRS_DIR` says where no rules but ours are wanted. */
const NONE = 'none';

/**
 * The rule sets of this host, the one to run first: that of the environment, the installed ones with the newest before, that
 * of Debian, our own.
 * @param crsDir what the environment says; undefined: nothing
 */
export async function findRuleSets(dataDir: string, crsDir: string | undefined): Promise<RuleSetPlace[]> {
  if (crsDir === NONE) return [BUILT_IN];
  const places: RuleSetPlace[] = [];
  if (crsDir !== undefined) places.push(await placeAt(crsDir, 'environment'));
  const installed = await folders(join(dataDir, 'crs'));
  for (const version of installed.sort(newestFirst)) places.push(await placeAt(version, 'installed'));
  if (existsSync(DEBIAN.rules)) {
    const setup = join(DEBIAN.etc, 'crs-setup.conf');
    const around = existsSync(DEBIAN.etc) ? [DEBIAN.etc] : [];
    const name = await nameOf(DEBIAN.rules);
    places.push({ name, origin: 'debian', rules: DEBIAN.rules, setup: existing(setup), around });
  }
  return distinct([...places, BUILT_IN]);
}

/** The first of a name is meant by it. */
function distinct(places: readonly RuleSetPlace[]): RuleSetPlace[] {
  return places.filter(({ name }, at) => places.findIndex((other) => other.name === name) === at);
}

async function placeAt(directory: string, origin: Origin): Promise<RuleSetPlace> {
  const rules = existing(join(directory, 'rules')) ?? directory;
  const setup = existing(join(directory, 'crs-setup.conf'));
  return { name: await nameOf(rules), origin, rules, setup, around: [directory] };
}

/** As a rule set signs itself, else by the folder it lies in. */
async function nameOf(rules: string): Promise<string> {
  const signed = await readFile(join(rules, 'REQUEST-901-INITIALIZATION.conf'), 'latin1').catch(() => '');
  const version = /^\s*SecComponentSignature\s+"OWASP_CRS\/([0-9A-Za-z.-]{1,32})"/m.exec(signed)?.[1];
  if (version !== undefined) return `crs-${version.toLowerCase()}`;
  const folder = basename(rules) === 'rules' ? basename(dirname(rules)) : basename(rules);
  return (
    folder
      .toLowerCase()
      .replaceAll(/[^a-z0-9._-]/g, '-')
      .replace(/^[^a-z0-9]+/, '') || 'rules'
  );
}

/** More is no rule set, or somebody's wish to have all memory. */
const MOST_FILES = 2_000;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Reads a rule set whole.
 * @throws Error when there is nothing to read, or too much.
 */
export async function readRuleSet({ name, origin, rules, setup, around }: RuleSetPlace): Promise<RuleSetText> {
  if (rules === undefined) return textOf(name, origin, [...builtInRules('alone')], {}, true);
  const budget = { files: MOST_FILES, bytes: MOST_BYTES };
  const own = await readConf(rules, budget);
  if (own.length === 0) throw new Error(`there are no .conf files in ${rules}`);
  const given = setup === undefined ? undefined : await read(setup, budget);
  const beforeAndAfter = await Promise.all(around.map((folder) => aroundOf(folder, rules, budget)));
  const files = [
    // Ours look at what comes before CRS counts: it sets its scores to nothing when it begins.
    ...builtInRules('crs'),
    { name: setup ?? 'setup of Sallyport', text: given ?? setupFor(own) },
    ...beforeAndAfter.flatMap(({ before }) => before),
    ...own,
    ...beforeAndAfter.flatMap(({ after }) => after),
  ];
  const ownMethods = given !== undefined && /^[^#]*tx\.allowed_methods=/m.test(given);
  return textOf(name, origin, files, await readData(rules, budget), ownMethods);
}

/** The rule set as the engine reads it. */
export function sourceOf({ files, data }: Pick<RuleSetText, 'files' | 'data'>): RuleSource {
  return {
    files,
    read: (name) => (Object.hasOwn(data, basename(name)) ? data[basename(name)] : undefined),
  };
}

function textOf(
  name: string,
  origin: Origin,
  files: readonly RuleFile[],
  data: Readonly<Record<string, string>>,
  ownMethods: boolean,
): RuleSetText {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file.name}\0${file.text}\0`, 'latin1');
  for (const key of Object.keys(data).sort()) hash.update(`${key}\0${data[key]}\0`, 'latin1');
  return { name, origin, files, data, ownMethods, sha256: hash.digest('hex') };
}

interface Budget {
  files: number;
  bytes: number;
}

async function read(path: string, budget: Budget): Promise<string> {
  const text = await readFile(path, 'latin1');
  budget.files--;
  budget.bytes -= text.length;
  if (budget.files < 0 || budget.bytes < 0) {
    throw new Error(`more than ${MOST_FILES} files or ${MOST_BYTES} bytes belong to it`);
  }
  return text;
}

/** In the order of their names, as CRS numbers them. */
async function readConf(folder: string, budget: Budget): Promise<RuleFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.conf') && name !== 'crs-setup.conf').sort();
  return Promise.all(
    names.map(async (name) => ({ name: join(folder, name), text: await read(join(folder, name), budget) })),
  );
}

async function readData(folder: string, budget: Budget): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.data'));
  const reading = names.map(async (name): Promise<[string, string]> => [name, await read(join(folder, name), budget)]);
  return Object.fromEntries(await Promise.all(reading));
}

/** Rules of users: `before/*.conf` and `after/*.conf`, or the two files of Debian that are named so. */
async function aroundOf(
  folder: string,
  rules: string,
  budget: Budget,
): Promise<{ before: readonly RuleFile[]; after: readonly RuleFile[] }> {
  if (folder !== DEBIAN.etc) {
    const [before, after] = ['before', 'after'].map((name) => join(folder, name));
    return {
      before: existsSync(before!) ? await readConf(before!, budget) : [],
      after: existsSync(after!) ? await readConf(after!, budget) : [],
    };
  }
  const files = folder === rules ? [] : await readConf(folder, budget);
  return {
    before: files.filter(({ name }) => basename(name).startsWith('REQUEST-900-')),
    after: files.filter(({ name }) => basename(name).startsWith('RESPONSE-999-')),
  };
}

/** What CRS wants to be told before it runs, where nobody has said it. */
function setupFor(files: readonly RuleFile[]): string {
  const signature = files.map(({ text }) => /"OWASP_CRS\/(\d+)\.(\d+)\.(\d+)/.exec(text)).find(Boolean);
  const [, major = '4', minor = '0', patch = '0'] = signature ?? [];
  return [
    'SecDefaultAction "phase:1,log,auditlog,pass"',
    'SecDefaultAction "phase:2,log,auditlog,pass"',
    'SecDefaultAction "phase:3,log,auditlog,pass"',
    'SecDefaultAction "phase:4,log,auditlog,pass"',
    `SecAction "id:900990,phase:1,pass,t:none,nolog,setvar:tx.crs_setup_version=${major}${minor}${patch}"`,
    '',
  ].join('\n');
}

async function folders(parent: string): Promise<string[]> {
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(parent, name));
}

function newestFirst(left: string, right: string): number {
  return basename(right).localeCompare(basename(left), 'en', { numeric: true });
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}
