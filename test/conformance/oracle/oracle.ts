import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One exchange, of which both engines see every byte the same. Texts hold one character a byte. */
export interface Exchange {
  readonly method: string;
  readonly target: string;
  /** `1.1` */
  readonly protocol: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly response?: {
    readonly status: number;
    readonly fields: readonly (readonly [name: string, value: string])[];
    readonly body: string;
  };
}

/** What an engine makes of an exchange. */
export interface Verdict {
  /** Rules that logged, sorted, each once. */
  readonly rules: readonly number[];
  /** The status a rule decided on; 200 where none did. */
  readonly status: number;
  /** Variables of `TX` that were asked for and are set. */
  readonly tx: Readonly<Record<string, string>>;
}

const root = join(__dirname, '../../..');

/**
 * Compiles one of the C++ tools against Debian's libmodsecurity3.
 * @returns the path of the program; undefined where the library or a compiler is absent
 */
export function compiled(tool: 'modsecurity-oracle/oracle' | 'probe-libinjection/probe'): string | undefined {
  const source = join(root, 'tools', `${tool}.cc`);
  const folder = join(root, 'node_modules/.cache/oracle');
  const program = join(folder, tool.split('/')[1]!);
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program;
  mkdirSync(folder, { recursive: true });
  const { status } = spawnSync('g++', ['-O2', '-std=c++17', '-o', program, source, '-lmodsecurity'], {
    stdio: 'ignore',
  });
  return status === 0 ? program : undefined;
}

/** Libmodsecurity, asked through the program of tools/modsecurity-oracle. */
export class Oracle {
  private readonly folder = mkdtempSync(join(tmpdir(), 'oracle-'));
  /** Path of a file that rules name. */
  readonly helper: string;

  /**
   * @param program as `compiled` gave it
   * @param helper name and text of a file that rules name
   * @param names variables of `TX` that verdicts are to tell
   */
  constructor(
    private readonly program: string,
    helper: readonly [name: string, text: string],
    private readonly names: readonly string[],
  ) {
    this.helper = this.written(...helper);
  }

  /** @param files rules: paths, or texts that begin with a line end */
  ask(files: readonly string[], exchanges: readonly Exchange[]): Verdict[] {
    const rules = files.map((file, at) => (file.startsWith('\n') ? this.written(`${at}.conf`, file) : file));
    const { stdout, stderr, status } = spawnSync(this.program, ['--tx', this.names.join(','), '--rules', ...rules], {
      input: exchanges.map((exchange) => JSON.stringify(exchange)).join('\n'),
      maxBuffer: 1 << 30,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`The oracle ended with ${status}: ${stderr}`);
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => verdictOf(JSON.parse(line) as Answer));
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private written(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, 'latin1');
    return path;
  }
}

interface Answer {
  readonly rules: readonly { readonly id: number }[];
  readonly status: number;
  readonly tx: Readonly<Record<string, string>>;
}

function verdictOf({ rules, status, tx }: Answer): Verdict {
  return { rules: sortedOnce(rules.map(({ id }) => id)), status, tx };
}

export function sortedOnce(ids: readonly number[]): number[] {
  return [...new Set(ids)].sort((a, b) => a - b);
}
