import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '@sallyport/testkit';
import type { Bytes } from './bytes';

/** A case of the SecRules language tests, its texts made bytes. */
export interface SharedVector {
  /** Of a transformation. */
  readonly output: Bytes;
  /** Argument of an operator. */
  readonly param: Bytes;
  readonly input: Bytes;
  /** Of an operator: 1 where it matches. */
  readonly ret: number;
  readonly re_groups: readonly Bytes[] | undefined;
}

type Kind = 'operators' | 'transformations';

interface RawVector {
  readonly input?: string;
  readonly output?: string;
  readonly param?: string;
  readonly ret: number;
  readonly re_groups?: readonly string[];
}

/**
 * The bytes a text of the shared vectors stands for: its UTF-8, with the escapes that JSON left in it (a backslash, and
 * `xHH` or `u00HH`) decoded.
 */
function bytesOf(text: string): Bytes {
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/\\(?:x|u00)([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}

/** The cases that lie beside the clone, by the name of what they try; undefined where they are absent. */
export function sharedVectors(kind: Kind): ReadonlyMap<string, readonly SharedVector[]> | undefined {
  const folder = sharedData('vectors', 'seclang', kind);
  if (!folder) return undefined;
  return new Map(
    readdirSync(folder).map((file) => {
      const cases = JSON.parse(readFileSync(join(folder, file), 'utf8')) as RawVector[];
      return [
        file.replace(/\.json$/, ''),
        cases.map(({ input = '', output = '', param = '', ret, re_groups: groups }) => ({
          input: bytesOf(input),
          output: bytesOf(output),
          param: bytesOf(param),
          ret,
          re_groups: groups?.map(bytesOf),
        })),
      ] as const;
    }),
  );
}

/** Says once, by name, what is not run. */
export function skipSharedVectors(kind: Kind): void {
  console.warn(`SECLANG VECTORS MISSING: the shared cases of ${kind} were NOT RUN`);
  it.skip(`the shared vectors of ${kind} are not beside the clone`, () => undefined);
}

/**
 * Our own cases of one transformation or operator: `testdata/<kind>/<name>.json`. In them each character of a text is one
 * byte.
 */
export function ownVectors<Vector>(kind: Kind, name: string): readonly Vector[] {
  const path = join(__dirname, '../testdata', kind, `${name}.json`);
  return JSON.parse(readFileSync(path, 'utf8')) as Vector[];
}

/** Names that the reference page of SecLang has in code, in the table below a heading. */
export function namesOnPage(heading: string): readonly string[] {
  const page = readFileSync(join(__dirname, '../../../docs/reference/seclang.md'), 'utf8');
  const [, section = ''] = page.split(`## ${heading}\n`);
  const [text = ''] = section.split('\n## ');
  return [...text.matchAll(/`@?([A-Za-z0-9]+)/g)].map(([, name]) => name!);
}
