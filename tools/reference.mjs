// Writes the reference pages that follow from data: errors, variables and policies. Run by tools/gen.mjs.
import { createRequire } from 'node:module';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { root } from './process.mjs';

const NOTE = '<!-- Generated from the sources by `npm run gen`; edit those. -->\n';

/** Writes every page below `<out>/docs/reference`. */
export async function writeReference(out) {
  await build();
  const require = createRequire(join(root, 'package.json'));
  const contracts = require('./dist/libs/contracts/src/index.js');
  const pipeline = require('./dist/libs/pipeline/src/index.js');
  const folder = join(out, 'docs', 'reference');
  mkdirSync(folder, { recursive: true });
  const pages = {
    'errors.md': errorsPage(contracts),
    'variables.md': variablesPage(contracts),
    'policies.md': policiesPage(pipeline),
  };
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(folder, name), text);
}

function errorsPage({ errors, slugOf }) {
  const rows = Object.entries(errors).map(
    ([code, { http, grpc, retry, title }]) =>
      `| [\`${code}\`](#${slugOf(code)}) | ${http} | ${grpc} | ${retry} | ${title} |`,
  );
  const entries = Object.entries(errors).map(
    ([code, { detail, cause, fix }]) =>
      `### <a id="${slugOf(code)}"></a>\`${code}\`\n\n> ${detail}\n\n- **Why it happens.** ${cause}\n- **The way out.** ${fix}\n`,
  );
  return [
    NOTE,
    '# Errors\n',
    'Every refusal has one of these codes, in problem details (RFC 9457) or in the dialect of a model endpoint. A gateway serves',
    'the same text under `/problems/<code in kebab case>`. A code is never renamed.\n',
    '| code | HTTP | gRPC | retry | title |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...entries,
  ].join('\n');
}

function variablesPage({ variables }) {
  const rows = [...variables]
    .sort((one, other) => one.name.localeCompare(other.name))
    .map(({ name, apps, summary, default: preset, secret }) => {
      const file = secret ? ` (or \`${name}_FILE\`)` : '';
      return `| \`${name}\`${file} | ${apps === 'every' ? 'every service' : apps.join(', ')} | ${preset ? `\`${preset}\`` : '–'} | ${summary} |`;
    });
  return [
    NOTE,
    '# Environment variables\n',
    'A `SALLYPORT_` variable that is not in this list stops the start, with the nearest name that is. A secret can also be read',
    'from the file that its `_FILE` form names, and is never printed.\n',
    '| variable | read by | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function policiesPage({ policies, policyHooks }) {
  const entries = policies
    .map((policy) => ({ ...policy, hooks: policyHooks(policy) }))
    .map(({ id, hooks, summary, example, config }) =>
      [
        `## <a id="${id}"></a>\`${id}\`\n`,
        `${summary} Hooks: ${hooks.join(', ')}.\n`,
        '```yaml',
        `policies: [{ ${id}: ${JSON.stringify(example).replaceAll('"', '').replaceAll(':', ': ').replaceAll(',', ', ')} }]`,
        '```\n',
        `Members: ${Object.keys(config.shape)
          .map((name) => `\`${name}\``)
          .join(', ')}.\n`,
      ].join('\n'),
    );
  return [
    NOTE,
    '# Policies\n',
    'A route carries policies in its declarative file or through the admin API. Unknown policies and unknown members are refused',
    'when the route is published.\n',
    ...entries,
  ].join('\n');
}
