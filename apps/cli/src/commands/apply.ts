import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describeFault, parseDeclarative } from '@sallyport/contracts';
import { adminClient, LONG_TIMEOUT_MS } from '../admin-client';
import type { Command } from '../command-line';
import { exitCodes, Failure, usageFailure } from '../failure';
import { plain, table, type Output } from '../output';
import type { World } from '../world';

/** What POST /api/v1/changesets answers, as far as it is shown. */
interface Changeset {
  readonly dryRun: boolean;
  readonly revision: string;
  readonly changes: readonly {
    readonly action: string;
    readonly type: string;
    readonly name: string;
    readonly event?: string;
  }[];
  readonly findings: readonly {
    readonly severity: string;
    /** Place in the document, or in the catalog where the document does not have it. */
    readonly where: string;
    readonly message: string;
    readonly fix: string;
  }[];
}

const STANDARD_INPUT = '-';

export const apply: Command = {
  name: 'apply',
  summary: 'Apply a configuration file: all of it in one revision, or nothing.',
  operands: [],
  options: [
    { name: 'file', short: 'f', value: 'FILE', summary: 'YAML or JSON; - reads standard input.' },
    { name: 'dry-run', summary: 'Show what would change, and change nothing.' },
  ],
  examples: ['apply -f sallyport.yaml --dry-run', 'apply -f - < sallyport.yaml'],
  async run(invocation, world, output) {
    const file = invocation.text('file');
    if (file === undefined) throw usageFailure('apply needs a file.', 'sallyport apply -f sallyport.yaml --dry-run');
    const text = await read(file, world);
    const { source, faults } = await parseDeclarative(text);
    const name = file === STANDARD_INPUT ? '<stdin>' : file;
    if (source === undefined) {
      throw new Failure(`${name} cannot be applied.`, {
        exitCode: exitCodes.failed,
        code: 'SCHEMA_VIOLATION',
        places: faults.map((fault) => plain(describeFault(name, fault))),
        next: 'mend what is listed; nothing was sent',
      });
    }
    const admin = adminClient(invocation.text('server'), world);
    const dryRun = invocation.has('dry-run');
    const query = { dryRun: dryRun || undefined };
    // Thousands of objects take their time, and who stops waiting does not know what became of them.
    const changeset = await admin.post<Changeset>('/api/v1/changesets', source, query, LONG_TIMEOUT_MS);
    if (output.json) output.document(changeset);
    else show(changeset, output);
    return exitCodes.done;
  },
};

async function read(file: string, { directory, readStandardInput }: World): Promise<string> {
  if (file === STANDARD_INPUT) return readStandardInput();
  try {
    // Read leniently, letters of another encoding would be replaced without a word.
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(resolve(directory, file)));
  } catch (error) {
    if (error instanceof TypeError) throw usageFailure(`${file} is not written in UTF-8.`);
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw usageFailure(missing ? `There is no file ${file}.` : `${file} cannot be read: ${(error as Error).message}.`);
  }
}

function show({ dryRun, revision, changes, findings }: Changeset, output: Output): void {
  if (changes.length === 0) {
    output.line(`nothing to change; revision ${revision}`);
  } else {
    const rows = changes.map(({ action, type, name, event }) => [event ?? action, type, name]);
    for (const line of table(rows)) output.line(plain(line));
    const count = `${changes.length} ${changes.length === 1 ? 'change' : 'changes'}`;
    output.line(dryRun ? `dry run: ${count} would make revision ${revision}` : `${count} in revision ${revision}`);
  }
  for (const { severity, where, message, fix } of findings) {
    output.note(plain(`! ${severity}  ${where}: ${message}. ${fix}`));
  }
}
