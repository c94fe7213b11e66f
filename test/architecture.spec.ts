import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import nodeEnvironment from '../deploy/node-environment.json';
import nodeOptions from '../deploy/node-options.json';

/** Who may import whom: this table is the wall, and this file is what holds it up. */
const libraryImports: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  identity: ['contracts'],
  limits: ['contracts'],
  waf: ['contracts'],
  proxy: ['contracts'],
  trail: ['contracts'],
  ai: ['contracts', 'proxy'],
  pipeline: ['contracts', 'identity', 'limits', 'waf', 'proxy', 'ai'],
  platform: ['contracts', 'trail'],
  testkit: ['contracts', 'identity', 'limits', 'waf', 'proxy', 'trail', 'ai', 'pipeline', 'platform'],
};

/** Libraries that decide: they are handed a clock, random bytes and ports, and know neither Nest nor a broker nor a database. */
const deciding = ['contracts', 'identity', 'limits', 'waf', 'proxy', 'trail', 'ai', 'pipeline'];

const technology = /^(@nestjs\/|nats$|pg$|pg-|typeorm$|ioredis$|fastify$|pino$|nestjs-zod)/;

const root = join(__dirname, '..');
const sources = [...filesIn('libs'), ...filesIn('apps')].map(readSource);

describe('the walls of the house', () => {
  it('stand where the table says: a library imports only what its row lists', () => {
    const trespasses = sources.flatMap(({ place, path, imports }) =>
      place.kind === 'libs' && libraryImports[place.name]
        ? librariesIn(imports)
            .filter((library) => !libraryImports[place.name]!.includes(library))
            .filter((library) => !(library === 'testkit' && isTest(path)))
            .map((library) => `${path} imports ${library}`)
        : [],
    );
    expect(trespasses).toEqual([]);
  });

  it('know every library: a new one needs a row', () => {
    expect(readdirSync(join(root, 'libs')).sort()).toEqual(Object.keys(libraryImports).sort());
  });

  it('keep applications apart: only all-in-one opens the doors of others', () => {
    const trespasses = sources.flatMap(({ place, path, imports }) =>
      imports
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => relative(root, join(root, path, '..', specifier)).split(sep))
        // A contract suite is no part of its library's door: whoever fills the port runs it.
        .filter((target) => !(isTest(path) && target.at(-1)!.endsWith('.suite')))
        .filter(([kind, name]) => kind !== place.kind || name !== place.name)
        .filter((target) => !(place.name === 'all-in-one' && target[0] === 'apps' && target.length === 3))
        .map((target) => `${path} reaches into ${target.join('/')}`),
    );
    expect(trespasses).toEqual([]);
  });

  it('have one door a library: nobody imports deeper than its name', () => {
    const deep = sources.flatMap(({ path, imports }) =>
      imports.filter((specifier) => /^@sallyport\/[^/]+\//.test(specifier)).map((specifier) => `${path}: ${specifier}`),
    );
    expect(deep).toEqual([]);
  });

  it('keep the testkit out of what is shipped', () => {
    const shipped = sources.filter(({ path, place }) => !isTest(path) && place.name !== 'testkit');
    expect(shipped.filter(({ imports }) => imports.includes('@sallyport/testkit')).map(({ path }) => path)).toEqual([]);
    const forTests = (specifier: string) => specifier.startsWith('.') && isTest(`${specifier}.ts`);
    expect(shipped.filter(({ imports }) => imports.some(forTests)).map(({ path }) => path)).toEqual([]);
  });

  it('keep technology out of what decides', () => {
    const found = sources.flatMap(({ place, path, imports }) =>
      place.kind === 'libs' && deciding.includes(place.name) && !isTest(path)
        ? imports.filter((specifier) => technology.test(specifier)).map((specifier) => `${path}: ${specifier}`)
        : [],
    );
    expect(found).toEqual([]);
  });

  it('hand time, chance and environment to what decides instead of letting it take them', () => {
    const ambient = /\bDate\.now\(|\bMath\.random\(|\bprocess\.env\b/;
    const allowed = /libs\/(contracts\/src\/clock|trail\/src\/node-ports)\.ts$/;
    const found = sources.filter(
      ({ place, path, text }) =>
        place.kind === 'libs' &&
        deciding.includes(place.name) &&
        !isTest(path) &&
        !allowed.test(path) &&
        ambient.test(text),
    );
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  it('keep Nest in the applications and the platform', () => {
    const nest = sources.filter(({ imports }) => imports.some((specifier) => specifier.startsWith('@nestjs/')));
    const outside = nest.filter(({ place }) => place.kind === 'libs' && place.name !== 'platform');
    expect(outside.map(({ path }) => path)).toEqual([]);
  });

  it('have no room for what has no name', () => {
    const vague = /(^|\/)(utils?|helpers?|common|shared|misc)(\/|\.ts$)/;
    expect(sources.map(({ path }) => path).filter((path) => vague.test(path) && !path.includes('/gen/'))).toEqual([]);
  });

  it('start no process from what the network can reach', () => {
    // The embedded database, tests, and what has the kernel make descriptors: a program of our own, without a variable.
    const launchers = /^libs\/(platform\/src\/database|testkit)\/|^apps\/ingress\/src\/listeners\/descriptors\.ts$/;
    const found = sources.filter(
      ({ path, imports }) =>
        imports.some((specifier) => /^(node:)?child_process$/.test(specifier)) &&
        !isTest(path) &&
        !launchers.test(path),
    );
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  it('have one set of options for Node, in a container as elsewhere', () => {
    const entrypoint = /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1];
    expect(JSON.parse(entrypoint ?? '[]')).toEqual(['node', ...nodeOptions, 'deploy/docker/run.cjs']);
  });

  it('say the same to the C library, in a container as elsewhere', () => {
    const said = /^ENV (MALLOC_.*)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1];
    expect(Object.fromEntries((said ?? '').split(' ').map((pair) => pair.split('=')))).toEqual(nodeEnvironment);
  });

  it('let into the context of an image what it copies from there', () => {
    const shown = new Set(
      readFileSync(join(root, '.dockerignore'), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1)),
    );
    const isShown = (path: string) =>
      path.split('/').some((_, at, parts) => shown.has(parts.slice(0, at + 1).join('/')));
    const copied = readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/^COPY (?!--)(.+) \S+$/gm);
    expect([...copied].flatMap(([, paths]) => paths!.split(' ')).filter((path) => !isShown(path))).toEqual([]);
  });

  it('give the image all that its build tool reads before it builds', () => {
    const context = mkdtempSync(join(tmpdir(), 'sallyport-image-'));
    try {
      const copied = readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/^COPY (?!--)(.+) \S+$/gm);
      const sourcesOfProduct = new Set(['libs', 'apps', 'examples']);
      for (const path of [...copied].flatMap(([, paths]) => paths!.split(' '))) {
        if (!sourcesOfProduct.has(path)) cpSync(join(root, path), join(context, path), { recursive: true });
      }
      symlinkSync(join(root, 'node_modules'), join(context, 'node_modules'));
      const loaded = spawnSync(
        process.execPath,
        ['--input-type=module', '--eval', 'await import("./tools/build.mjs")'],
        {
          cwd: context,
          encoding: 'utf8',
        },
      );
      expect(loaded).toMatchObject({ stderr: '', status: 0 });
    } finally {
      rmSync(context, { recursive: true });
    }
  });

  it('read the data beside the clone through one helper', () => {
    const readers = [...sources, ...filesIn('test').map(readSource)].filter(
      ({ text, path }) =>
        /SALLYPORT_SHARED_DIR|\.\.\/shared(?![\w-])/.test(text) && !path.endsWith('architecture.spec.ts'),
    );
    expect(readers.map(({ path }) => path).filter((path) => path !== 'libs/contracts/src/variables.ts')).toEqual([
      'libs/testkit/src/shared-data.ts',
    ]);
  });
});

interface Source {
  readonly path: string;
  readonly place: { readonly kind: string; readonly name: string };
  readonly imports: readonly string[];
  readonly text: string;
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  const [kind = '', name = ''] = path.split('/');
  const imports = [...text.matchAll(/(?:from|import|require\()\s*'([^']+)'/g)].map((match) => match[1]!);
  return { path, place: { kind, name }, imports, text };
}

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.includes('node_modules/') && !path.includes('/gen/'))
    .sort();
}

function librariesIn(imports: readonly string[]): string[] {
  return imports
    .filter((specifier) => specifier.startsWith('@sallyport/'))
    .map((specifier) => specifier.split('/')[1]!);
}

function isTest(path: string): boolean {
  return /(\.(spec|suite)|-under-test)\.ts$/.test(path) || path.includes('/testdata/') || path.includes('/test-');
}
