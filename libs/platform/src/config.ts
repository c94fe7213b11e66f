import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { knownVariableNames, variables, type AppName, type Variable } from '@sallyport/contracts';
import { z } from 'zod';

/** The environment cannot be used. One line that names the variable, what is wrong, and what is expected. */
export class ConfigError extends Error {
  constructor(
    readonly variable: string,
    problem: string,
  ) {
    super(`${variable} ${problem}`);
    this.name = 'ConfigError';
  }
}

/** One variable of an application's config and how its text is read. */
export interface ConfigField<T> {
  readonly name: string;
  readonly schema: z.ZodType<T>;
}

/** Any text that is not empty. */
export const text = z.string({ error: 'expected a text' }).min(1, 'expected a text');

/** Digits, read as a number. */
export const integer = z
  .string({ error: 'expected a whole number' })
  .regex(/^\d{1,15}$/, 'expected a whole number')
  .transform(Number);

const PORT = 'expected a port from 1 to 65535';
/** A TCP port. Zero is refused: others must be able to name the port. */
export const port = z
  .string({ error: PORT })
  .regex(/^\d{1,5}$/, PORT)
  .transform(Number)
  .pipe(z.number().min(1, PORT).max(65_535, PORT));

const RATIO = 'expected a number from 0 to 1';
/** A share between nothing and all. */
export const ratio = z
  .string({ error: RATIO })
  .regex(/^(\d(\.\d{1,9})?|\.\d{1,9})$/, RATIO)
  .transform(Number)
  .pipe(z.number().max(1, RATIO));

const FLAG = 'expected 1, 0, on, off, true or false';
const flags: Readonly<Record<string, boolean>> = { 1: true, on: true, true: true, 0: false, off: false, false: false };
/** A switch. */
export const flag = z
  .string({ error: FLAG })
  .refine((value) => Object.hasOwn(flags, value.toLowerCase()), FLAG)
  .transform((value) => flags[value.toLowerCase()]!);

const URL_EXPECTED = 'expected a URL such as http://host:port';
/** An absolute URL, kept as text without a slash at the end. */
export const url = z
  .string({ error: URL_EXPECTED })
  .refine((value) => URL.canParse(value), URL_EXPECTED)
  .transform((value) => value.replace(/\/$/, ''));

/**
 * Declares one variable of a config.
 * @param name a name from the `variables` table of contracts; its row says the default and whether it is a secret.
 * @param schema reads the text; it sees `undefined` when the variable is unset, or empty, and its row has no default.
 */
export function variable<T>(name: string, schema: z.ZodType<T>): ConfigField<T> {
  return { name, schema };
}

/** What every server application reads. */
export interface BaseConfig {
  readonly app: AppName;
  /** Address all listeners bind. */
  readonly host: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  readonly nodeName: string;
  /** Whose clock this process has: the node where it has a name of its own, the host where it has none. */
  readonly clockName: string;
  readonly clusterName: string;
  /** Without a slash at the end. */
  readonly publicUrl: string;
  readonly natsUrl?: string;
  readonly databaseUrl?: string;
  readonly otlpUrl?: string;
  /** Share of new traces that are recorded, 0 to 1. */
  readonly traceRatio: number;
  /** Absolute. */
  readonly spoolDir: string;
  readonly spoolMaxBytes: number;
}

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

const LEVEL = 'expected fatal, error, warn, info, debug or trace';
const NODE = 'expected up to 63 letters, digits, dots, dashes and underscores';
const CHAIN = 'expected up to 63 lower-case letters, digits and dashes';

const baseFields = {
  host: variable('SALLYPORT_HOST', text),
  dataDir: variable('SALLYPORT_DATA_DIR', text),
  logLevel: variable(
    'SALLYPORT_LOG_LEVEL',
    z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], { error: LEVEL }),
  ),
  nodeName: variable(
    'SALLYPORT_NODE_NAME',
    z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,63}$/, NODE)
      .optional(),
  ),
  clusterName: variable('SALLYPORT_CLUSTER_NAME', z.string({ error: CHAIN }).regex(/^[a-z0-9-]{1,63}$/, CHAIN)),
  publicUrl: variable('SALLYPORT_PUBLIC_URL', url.optional()),
  publicPort: variable('SALLYPORT_INGRESS_HTTP_PORT', port),
  natsUrl: variable('SALLYPORT_NATS_URL', text.optional()),
  databaseUrl: variable('SALLYPORT_DATABASE_URL', url.optional()),
  otlpUrl: variable('SALLYPORT_OTLP_URL', url.optional()),
  traceRatio: variable('SALLYPORT_TRACE_RATIO', ratio),
  spoolDir: variable('SALLYPORT_AUDIT_SPOOL_DIR', text.optional()),
  spoolMaxBytes: variable('SALLYPORT_AUDIT_SPOOL_MAX_BYTES', integer),
} as const;

type Read<S extends Record<string, ConfigField<unknown>>> = {
  readonly [K in keyof S]: S[K] extends ConfigField<infer T> ? T : never;
};

/**
 * Declares the config of one application.
 * @returns a function that reads an environment; it throws a {@link ConfigError} for the first variable it cannot use.
 */
export function defineConfig<S extends Record<string, ConfigField<unknown>>>(
  app: AppName,
  shape: S,
): (environment: NodeJS.ProcessEnv) => BaseConfig & Read<S> {
  return (environment) => {
    refuseUnknown(environment);
    const config: BaseConfig & Read<S> = { ...readBase(app, environment), ...readFields(shape, environment) };
    Object.freeze(config);
    return config;
  };
}

function readBase(app: AppName, environment: NodeJS.ProcessEnv): BaseConfig {
  const { publicPort, ...read } = readFields(baseFields, environment);
  const dataDir = resolve(read.dataDir);
  const host = hostname().replace(/[^A-Za-z0-9._-]/g, '-');
  return {
    ...read,
    app,
    dataDir,
    clockName: read.nodeName ?? host,
    nodeName: read.nodeName ?? `${host.slice(0, 48)}-${process.pid}`,
    publicUrl: read.publicUrl ?? `http://127.0.0.1:${publicPort}`,
    spoolDir: read.spoolDir ? resolve(read.spoolDir) : join(dataDir, 'spool'),
  };
}

function readFields<S extends Record<string, ConfigField<unknown>>>(shape: S, environment: NodeJS.ProcessEnv): Read<S> {
  const read = Object.entries(shape).map(([key, field]) => [key, readField(field, environment)] as const);
  return Object.fromEntries(read) as Read<S>;
}

function readField({ name, schema }: ConfigField<unknown>, environment: NodeJS.ProcessEnv): unknown {
  const row = variables.find((candidate) => candidate.name === name);
  if (!row) throw new RangeError(`${name} has no row in the table of variables`);
  const given = textOf(row, environment);
  const result = schema.safeParse(given ?? row.default);
  if (result.success) return result.data;
  const expected = result.error.issues[0]!.message;
  if (given === undefined) throw new ConfigError(name, `is not set: ${expected}`);
  throw new ConfigError(name, row.secret ? `cannot be used: ${expected}` : `is ${quote(given)}: ${expected}`);
}

/** The text of a variable, or of the file its `_FILE` twin names. Empty is unset, as compose files pass it on. */
function textOf({ name, secret }: Variable, environment: NodeJS.ProcessEnv): string | undefined {
  const direct = environment[name] || undefined;
  const file = (secret && environment[`${name}_FILE`]) || undefined;
  if (file === undefined) return direct;
  if (direct !== undefined) throw new ConfigError(name, `and ${name}_FILE are both set: expected one of them`);
  return readSecretFile(`${name}_FILE`, file);
}

function readSecretFile(name: string, file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '') || undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigError(name, `names ${quote(file)}, which cannot be read (${code}): expected a readable file`);
  }
}

/** A mistyped variable must not be ignored: the operator believes it is in force. */
function refuseUnknown(environment: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('SALLYPORT_') || knownVariableNames.has(name)) continue;
    throw new ConfigError(
      name,
      `is not a variable of Sallyport: expected perhaps ${nearest(name, knownVariableNames)}`,
    );
  }
}

function nearest(name: string, known: Iterable<string>): string {
  let best = '';
  let least = Infinity;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein: insertions, deletions and replacements between two names. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line++) {
    const next = [line];
    for (let column = 1; column <= to.length; column++) {
      const replaced = row[column - 1]! + (from[line - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
