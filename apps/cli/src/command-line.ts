import { parseArgs } from 'node:util';
import { nearestName } from '@sallyport/contracts';
import { exitCodes, Failure, usageFailure, type ExitCode } from './failure';
import { table, type Output } from './output';
import type { World } from './world';

export interface Option {
  /** With the dashes left out. */
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the help; absent: a switch. */
  readonly value?: string;
  /** May be given several times. */
  readonly many?: true;
  readonly summary: string;
}

export interface Command {
  /** One word or two: `tail`, `key create`. */
  readonly name: string;
  readonly summary: string;
  /** What its words stand for, in order; all of them must be given. */
  readonly operands: readonly string[];
  readonly options: readonly Option[];
  /** What follows `sallyport` in each. */
  readonly examples: readonly [string, string];
  readonly run: (invocation: Invocation, world: World, output: Output) => Promise<ExitCode>;
}

/** What was typed, read by the command's own options. */
export class Invocation {
  constructor(
    readonly operands: readonly string[],
    private readonly values: ReadonlyMap<string, readonly string[]>,
  ) {}

  text(name: string): string | undefined {
    return this.values.get(name)?.at(-1);
  }

  texts(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  /** @throws Failure (64) when it is no whole number in the range. */
  whole(name: string, { from, to }: { readonly from: number; readonly to: number }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= from && number <= to) return number;
    throw usageFailure(`--${name} takes a whole number from ${from} to ${to}, not “${text}”.`);
  }
}

/** Options of every command. */
const everywhere: readonly Option[] = [
  { name: 'server', value: 'URL', summary: 'Admin door to talk to (SALLYPORT_URL).' },
  { name: 'json', summary: 'Print one JSON document, or one a line where there is no end.' },
  { name: 'help', short: 'h', summary: 'Show this help.' },
];

export type Asked =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly command: Command; readonly invocation: Invocation };

/**
 * Reads what was typed.
 *
 * @param args without the name of the program
 * @throws Failure (64) that names the nearest known word for one that is not known.
 */
export function parseCommandLine(args: readonly string[], commands: readonly Command[]): Asked {
  const { words, flags } = split(args, commands);
  if (words.length === 0 && flags.some(({ name }) => name === 'version')) return { kind: 'version' };
  if (words[0] === 'help' || (words.length === 0 && flags.some(({ name }) => name === 'help'))) {
    return { kind: 'help', text: helpFor(words.slice(1), commands) };
  }
  if (words.length === 0 && flags.length === 0) {
    throw new Failure('No command was given.', { exitCode: exitCodes.usage, next: 'sallyport --help' });
  }
  if (flags.some(({ name }) => name === 'help')) return { kind: 'help', text: helpFor(words, commands) };
  const command = commandOf(words, commands);
  const values = valuesOf(flags, command);
  const operands = words.slice(command.name.split(' ').length);
  checkOperands(operands, command);
  return { kind: 'run', command, invocation: new Invocation(operands, values) };
}

interface Flag {
  readonly name: string;
  /** As it was typed. */
  readonly raw: string;
  readonly value: string | undefined;
  readonly inline: boolean;
}

/** Tells words from flags. Which flag takes a value is the same for every command that knows it. */
function split(args: readonly string[], commands: readonly Command[]): { words: string[]; flags: Flag[] } {
  const known = [...everywhere, ...commands.flatMap(({ options }) => options)];
  const options = Object.fromEntries(
    known.map(({ name, short, value }) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short && { short }) },
    ]),
  );
  // Not strict: its refusals name no nearest word.
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const words: string[] = [];
  const flags: Flag[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind === 'option') {
      flags.push({ name: token.name, raw: token.rawName, value: token.value, inline: token.inlineValue ?? false });
    }
  }
  return { words, flags };
}

function commandOf(words: readonly string[], commands: readonly Command[]): Command {
  const [first = '', second] = words;
  const found = commands.find(({ name }) => name === first || name === `${first} ${second}`);
  if (found) return found;
  const group = groupOf(first, commands);
  if (group.length > 0) {
    const known = group.map(({ name }) => name.split(' ')[1]!);
    if (second === undefined)
      throw usageFailure(`“${first}” is followed by ${known.join(', ')}.`, `sallyport help ${first}`);
    throw unknown(`${first} `, second, known, `sallyport help ${first}`);
  }
  throw unknown('', first, [...new Set(commands.map(({ name }) => name.split(' ')[0]!)), 'help'], 'sallyport --help');
}

function groupOf(word: string, commands: readonly Command[]): Command[] {
  return commands.filter(({ name }) => name.startsWith(`${word} `));
}

function unknown(before: string, word: string, known: readonly string[], next: string): Failure {
  const nearest = nearestName(word, known);
  const message = `There is no command “${before}${word}”.`;
  if (nearest === undefined) return usageFailure(message, next);
  return usageFailure(`${message} Did you mean “${before}${nearest}”?`, `sallyport ${before}${nearest} --help`);
}

function valuesOf(flags: readonly Flag[], command: Command): Map<string, string[]> {
  const known = [...everywhere, ...command.options];
  const next = `sallyport ${command.name} --help`;
  const values = new Map<string, string[]>();
  for (const { name, raw, value, inline } of flags) {
    const option = known.find((candidate) => candidate.name === name);
    if (!option) {
      const nearest = nearestName(
        name,
        known.map((candidate) => candidate.name),
      );
      const hint = nearest === undefined ? '' : ` Did you mean --${nearest}?`;
      throw usageFailure(`${command.name} has no option ${raw}.${hint}`, next);
    }
    if (option.value === undefined && inline) throw usageFailure(`${raw} takes no value.`, next);
    // What looks like a flag is one: `-f --json` is a forgotten file. A single dash means standard input.
    const missing = value === undefined || (!inline && value.length > 1 && value.startsWith('-'));
    if (option.value !== undefined && missing) throw usageFailure(`${raw} needs a value: ${option.value}.`, next);
    const before = values.get(name);
    if (before && option.value !== undefined && !option.many) throw usageFailure(`${raw} is given twice.`, next);
    values.set(name, [...(before ?? []), value ?? '']);
  }
  return values;
}

function checkOperands(operands: readonly string[], { name, operands: expected }: Command): void {
  const next = `sallyport ${name} --help`;
  const missing = expected[operands.length];
  if (missing !== undefined) throw usageFailure(`${name} needs ${missing}.`, next);
  if (operands.length > expected.length) {
    throw usageFailure(
      `${name} does not take “${operands[expected.length]}”; words with spaces stand in quotes.`,
      next,
    );
  }
}

function helpFor(words: readonly string[], commands: readonly Command[]): string {
  if (words.length === 0) return overview(commands);
  if (words.length === 1) {
    const group = groupOf(words[0]!, commands);
    if (group.length > 0) return group.map(helpOf).join('\n\n');
  }
  return helpOf(commandOf(words, commands));
}

function overview(commands: readonly Command[]): string {
  return [
    'sallyport: the command line of the Sallyport gateway',
    '',
    'Usage: sallyport <command> [options]',
    '',
    ...indent(table(commands.map(({ name, operands, summary }) => [[name, ...operands].join(' '), summary]))),
    '',
    'Options of every command:',
    ...indent(optionLines(everywhere)),
    '',
    'Examples:',
    '  sallyport doctor',
    '  sallyport help key create',
    '',
    'Exit codes: 0 done · 1 failed or finding · 64 usage · 69 unavailable · 77 not allowed',
  ].join('\n');
}

function helpOf({ name, summary, operands, options, examples }: Command): string {
  return [
    summary,
    '',
    `Usage: sallyport ${[name, ...operands].join(' ')} [options]`,
    '',
    ...indent(optionLines([...options, ...everywhere])),
    '',
    'Examples:',
    ...indent(examples.map((example) => `sallyport ${example}`)),
  ].join('\n');
}

function optionLines(options: readonly Option[]): string[] {
  return table(
    options.map(({ name, short, value, many, summary }) => [
      `${short === undefined ? '   ' : `-${short},`} --${name}${value === undefined ? '' : ` ${value}`}`,
      many ? `${summary} May be repeated.` : summary,
    ]),
  );
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
