// Writes the reference pages that follow from data: errors, variables and policies. Run by tools/gen.mjs.
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { build } from './build.mjs';
import { root } from './process.mjs';

const NOTE = '<!-- Generated from the sources by `npm run gen`; edit those. -->\n';

/** Writes every page below `<out>/docs/reference`. */
export async function writeReference(out) {
  await build();
  const require = createRequire(join(root, 'package.json'));
  const contracts = require('./dist/libs/contracts/src/index.js');
  const pipeline = require('./dist/libs/pipeline/src/index.js');
  const waf = require('./dist/libs/waf/src/index.js');
  const folder = join(out, 'docs', 'reference');
  mkdirSync(join(folder, 'policies'), { recursive: true });
  const pages = {
    'errors.md': errorsPage(contracts),
    'variables.md': variablesPage(contracts),
    'built-in-rules.md': builtInRulesPage(waf),
    ...policyPages(pipeline),
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

/** What the rules of a file of ours are about, by the first digits of their ids. */
const ruleGroups = {
  77000: 'Bodies that are not what their type says',
  77001: 'Protocol',
  77002: 'SQL and document databases',
  77003: 'Markup and scripts',
  77004: 'Files and paths',
  77005: 'Commands, code and templates',
  77006: 'Addresses and documents that make a server fetch',
  77007: 'Names and types of files',
  77008: 'Scanners and what they ask for',
  1001: 'What is said to models',
};

const severities = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];

function builtInRulesPage({ rules, builtInRules, compileRuleSet }) {
  const read = () => undefined;
  const all = compileRuleSet({ files: builtInRules('alone'), read }).cards.filter(
    ({ severity }) => severity !== undefined,
  );
  const besideCrs = new Set(compileRuleSet({ files: builtInRules('crs'), read }).rules.map(({ id }) => id));
  const groups = Object.entries(ruleGroups).map(([start, title]) => {
    const rows = all
      .filter(({ id }) => String(id).startsWith(start))
      .map(({ id, message, severity, phase }) => {
        const where = besideCrs.has(id) ? 'always' : 'without the CRS';
        return `| ${id} | ${message} | ${severities[severity]} | ${phase} | ${where} |`;
      });
    return [
      `## ${title}\n`,
      '| rule | finds | severity | phase | runs |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
      '',
    ];
  });
  return [
    NOTE,
    '# Built-in rules\n',
    'Rules of our own, in two forms. Those of the first table judge the form of a request and always run. The others are SecLang,',
    'and with the OWASP CRS loaded only those run that it has no match for. Each finding scores: critical 5, error 4, warning 3,',
    'notice 2; a request is refused from the threshold of its route on (5 unless set). What is said to models is scored by itself, with',
    'the profiles llm and mcp. Exclusions name rules by id or by tag.\n',
    '## The form of a request\n',
    '| rule | finds | severity | why it is there |',
    '| --- | --- | --- | --- |',
    ...rules.map(({ id, message, severity, explanation }) => `| ${id} | ${message} | ${severity} | ${explanation} |`),
    '',
    ...groups.flat(),
  ].join('\n');
}

/** One page a policy, from its folder and its schema, and a table of all of them. */
function policyPages({ policies, policyHooks }) {
  const ordered = [...policies].sort((one, other) => (one.id < other.id ? -1 : 1));
  const rows = ordered.map(
    (policy) =>
      `| [\`${policy.id}\`](policies/${policy.id}.md) | ${policy.summary} | ${policyHooks(policy).join(', ') || '–'} |`,
  );
  const index = [
    NOTE,
    '# Policies\n',
    'A version or a route carries policies, in order, in its declarative file or through the admin API; a route that lists its own',
    'does not have those of the version. Unknown policies and members, and whatever could not be compiled, are refused when the',
    'route is published. What a policy counts and remembers survives a change of the configuration that does not change the policy.\n',
    '| policy | what it does | hooks |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '## When what runs\n',
    'A request meets the hooks in this order, and the policies of a route in each of them in the order of the list; answers pass',
    'the policies in reverse. A hook can refuse, or answer in the place of the upstream: then the policies before it still see the',
    'answer. A policy that fails is a 500 of that one request.\n',
    '| hook | when |',
    '| --- | --- |',
    ...Object.entries(HOOKS).map(([hook, when]) => `| ${hook} | ${when} |`),
    '',
  ].join('\n');
  const pages = ordered.map((policy) => [`policies/${policy.id}.md`, policyPage(policy)]);
  return { 'policies.md': index, ...Object.fromEntries(pages) };
}

const HOOKS = {
  admit: 'on the head alone, before anyone is asked who is calling',
  authorised: 'the caller is known, nothing was counted yet',
  charges: 'names what is counted; the limiter is asked once',
  inspection: 'says how the request is inspected',
  shape: 'edits the head of what goes upstream',
  requestBody: 'reads or changes the body',
  intercept: 'may answer in the place of the upstream',
  upstreamFailed: 'the upstream gave no answer: another one may stand in',
  answerHead: 'edits the head of every answer, refusals included',
  answerBody: 'reads or changes the body of an answer',
  settle: 'once a request, however it ended',
};

function policyPage({ id, summary, example, config }) {
  const folder = join(root, 'libs', 'pipeline', 'src', 'policies', id);
  const prose = readFileSync(join(folder, `${id}.md`), 'utf8').trim();
  const meanings = commentsOf(readFileSync(join(folder, `${id}.ts`), 'utf8'));
  const schema = z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' });
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(
    ([name, member]) =>
      `| \`${name}\` | ${typeOf(member)} | ${required.has(name) ? 'required' : defaultOf(member)} | ${meanings.get(name) ?? ''} |`,
  );
  return [
    NOTE,
    `# \`${id}\`\n`,
    `${summary}\n`,
    '```yaml',
    stringify({ policies: [{ [id]: example }] }, { indent: 2, lineWidth: 110 }).trim(),
    '```\n',
    '| member | form | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    prose,
    '',
  ].join('\n');
}

/** What the sources say about a member in the comment above it. */
function commentsOf(text) {
  const found = new Map();
  for (const [, comment, name] of text.matchAll(/\/\*\* ((?:(?!\*\/)[\s\S])+?) \*\/\s+(\w+):/g)) {
    if (!found.has(name)) found.set(name, cell(comment));
  }
  return found;
}

function typeOf(member) {
  if (member.enum) return cell(member.enum.map((value) => `\`${value}\``).join(' '));
  if (member.const !== undefined) return `\`${cell(member.const)}\``;
  if (member.anyOf) return [...new Set(member.anyOf.map(typeOf))].join(' or ');
  if (member.type === 'array')
    return `list of ${Array.isArray(member.prefixItems) ? typeOf(member.prefixItems[0]) : typeOf(member.items ?? {})}`;
  if (member.type === 'integer') return [`whole number`, rangeOf(member)].filter(Boolean).join(' ');
  if (member.type === 'object' && member.properties) return `{ ${Object.keys(member.properties).join(', ')} }`;
  if (member.type === 'object') return 'map';
  return member.type === 'string' ? 'text' : member.type === 'boolean' ? 'true or false' : (member.type ?? 'any value');
}

function rangeOf({ minimum, maximum }) {
  return minimum > -Number.MAX_SAFE_INTEGER && maximum < Number.MAX_SAFE_INTEGER ? `${minimum}–${maximum}` : '';
}

function defaultOf(member) {
  return member.default === undefined ? '–' : `\`${cell(JSON.stringify(member.default))}\``;
}

function cell(text) {
  return String(text).replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}
