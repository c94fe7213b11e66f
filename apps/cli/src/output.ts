import { styleText } from 'node:util';
import type { Failure } from './failure';

type Colour = 'green' | 'yellow' | 'red';

/** A place to write text to; standard output and standard error are two. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export interface OutputOptions {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly json: boolean;
  readonly environment: NodeJS.ProcessEnv;
}

/** Results go to standard output, everything said about them to standard error: so a result can be captured alone. */
export class Output {
  readonly json: boolean;
  private readonly coloured: boolean;

  constructor(private readonly options: OutputOptions) {
    this.json = options.json;
    const { NO_COLOR: refused, TERM: terminal } = options.environment;
    this.coloured = options.stdout.isTTY === true && !refused && terminal !== 'dumb';
  }

  /** One line of the result. */
  line(text: string): void {
    this.options.stdout.write(`${text}\n`);
  }

  /** A part of a line of the result: a stream is shown as it comes. */
  part(text: string): void {
    this.options.stdout.write(text);
  }

  /** The result as one JSON document on one line. */
  document(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** A result that is whole: a program gets the document, a person the lines, made safe to show. */
  result(document: unknown, ...lines: readonly string[]): void {
    if (this.json) this.document(document);
    else for (const line of lines) this.line(plain(line));
  }

  /** What a person wants to know beside the result; programs are not told. */
  note(text: string): void {
    if (!this.json) this.options.stderr.write(`${text}\n`);
  }

  /** A person reads it on standard error; a program gets it in place of the result. */
  failure(failure: Failure): void {
    const { code, exitCode, requestId, places = [], next } = failure.facts;
    if (this.json) {
      const { message } = failure;
      this.document({ error: { code: code ?? null, message, requestId: requestId ?? null, places, next, exitCode } });
      return;
    }
    const lines = [
      `✘ ${code === undefined ? '' : `${code}  `}${failure.message}`,
      ...places.map((place) => `  ${place}`),
    ];
    if (requestId !== undefined) lines.push(`  request  ${requestId}`);
    if (next !== undefined) lines.push(`  next     ${next}`);
    this.options.stderr.write(`${lines.join('\n')}\n`);
  }

  readonly paint = (colour: Colour, text: string): string => (this.coloured ? styleText(colour, text) : text);
}

/** Columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

/** A table under a head; no line at all where there are no rows. */
export function listing(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : table([head, ...rows]);
}

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `2027-02-21T…` → `21 Feb 2027`, in UTC as the server wrote it. */
export function dayOf(moment: string): string {
  const [year = '', month = '', day = ''] = moment.slice(0, 10).split('-');
  return `${Number(day)} ${monthNames[Number(month) - 1] ?? month} ${year}`;
}

// C0 and C1 controls: what a server, or a caller of it, wrote must not move the cursor of whoever reads it.
const controls = /[\u0000-\u001f\u007f-\u009f]/g;

/** Makes text of others safe to show on a terminal. */
export function plain(text: string): string {
  return text.replace(controls, '�');
}

/** As {@link plain}, but lines and tabs stay: for prose such as the answer of a model. */
export function plainProse(text: string): string {
  return text.replace(controls, (control) => (control === '\n' || control === '\t' ? control : '�'));
}
