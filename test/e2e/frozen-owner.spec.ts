import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from './program';
import { until } from './waiting';

interface Line {
  readonly opened?: string;
  readonly written?: string;
  readonly note?: { readonly what: string; readonly chain?: string };
  readonly shipped?: readonly string[];
  readonly chain?: string;
  readonly firstSeq?: number;
}

/** Others believe a process of another namespace for so long after its last sign of life. */
const BELIEVED_MS = 20_000;

let folder: string;
const programs: Program[] = [];
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'sp-'))));
afterEach(async () => {
  for (const program of programs.splice(0)) {
    program.send('SIGKILL');
    await program.exited;
  }
  await rm(folder, { recursive: true, force: true });
});

function write(space: string): Program {
  const script = join(__dirname, 'spool-writer.mjs');
  const program = new Program(space, process.execPath, [script, folder, space], { env: {} });
  programs.push(program);
  return program;
}

/** What a program has said in whole lines. */
function linesOf({ stdout }: Program): Line[] {
  const whole = stdout.slice(0, stdout.lastIndexOf('\n') + 1);
  return whole.split('\n').flatMap((line) => (line ? [JSON.parse(line) as Line] : []));
}

const opened = (program: Program) =>
  until(`${program.name} has a spool`, () => linesOf(program).find((line) => line.opened), {
    seen: () => program.tail(),
  });

/** Uids by chain and number. @throws when two records have the same. */
function placesOf(lines: readonly Line[]): Map<string, string> {
  const places = new Map<string, string>();
  for (const { shipped = [], chain, firstSeq = 0 } of lines) {
    for (const [at, uid] of shipped.entries()) {
      const place = `${chain} ${firstSeq + at}`;
      expect(places.get(place) ?? uid).toBe(uid);
      places.set(place, uid);
    }
  }
  return places;
}

it('loses no record of a process that is frozen until another one has its folder, and numbers no two alike', async () => {
  const first = write('one host');
  const { chain } = await opened(first);
  await until('the first has written', () => linesOf(first).filter(({ written }) => written).length > 20);
  first.send('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, BELIEVED_MS + 1_000));
  const second = write('another host');
  const taken = await opened(second);
  expect(taken.opened).toBe('ingress-1');
  expect(taken.chain).not.toBe(chain);
  first.send('SIGCONT');
  const both = () => [...linesOf(first), ...linesOf(second)];
  const lost = await until('the first has noticed', () =>
    linesOf(first).find(({ note }) => note?.what === 'folder-lost'),
  );
  expect(lost.note?.chain).toBe(chain);
  const before = linesOf(first).length;
  await until(
    'the first goes on',
    () =>
      linesOf(first)
        .slice(before)
        .filter(({ written }) => written).length > 20,
  );

  const written = both().flatMap((line) => line.written ?? []);
  await until('all is shipped', () => {
    const shipped = new Set(placesOf(both()).values());
    return written.every((uid) => shipped.has(uid));
  });
  expect(linesOf(first).filter(({ note }) => note?.what === 'folder-lost').length).toBe(1);
}, 120_000);
