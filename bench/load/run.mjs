// Runs one scenario: starts its systems, measures, ends them, and keeps the figures with machine and method.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { nodeOptions, root, say } from '../../tools/process.mjs';
import { describeMachine } from './machine.mjs';
import { METHOD } from './measure.mjs';
import { startUpstream } from './programs.mjs';
import { scenarios } from './scenarios/registry.mjs';

/** Runs what the options ask for and prints it; `--keep` also writes `bench/results/<date>-<scenario>.{json,md}`. */
export async function benchLoad(values) {
  const scenario = scenarios[values.scenario];
  // Every process of Sallyport takes it over, and writes its profile when it ends.
  if (values.profile !== undefined)
    process.env.SALLYPORT_BENCH_NODE_OPTIONS = `${nodeOptions.join(' ')} --cpu-prof --cpu-prof-dir=${resolve(values.profile)}`;
  const load = {
    seconds: Number(values.seconds),
    windows: Number(values.windows),
    connections: Number(values.connections),
    ...(values.workers !== undefined && { workers: Number(values.workers) }),
    minutes: Number(values.minutes),
  };
  const { mode, rows, ratios } = await measured(scenario, load, values.only);
  const method = scenario.method ? `${METHOD}; ${scenario.method}` : METHOD;
  const result = { scenario: values.scenario, mode, machine: describeMachine(), method, load, rows, ratios };
  const date = new Date().toISOString().slice(0, 10);
  const page = pageOf(scenario.title, result, date);
  if (values.keep) {
    const name = join(
      root,
      `bench/results/${date}-${values.scenario}${load.workers === undefined ? '' : `-workers-${load.workers}`}`,
    );
    writeFileSync(`${name}.json`, `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(`${name}.md`, page);
  }
  console.log(values.json ? JSON.stringify(result) : page);
}

/** Systems that are to run apart are measured one after another, each beside all that are not. */
async function measured(scenario, load, only) {
  const upstream = await startUpstream();
  const running = [];
  try {
    const able = (await scenario.systems(upstream, load)).filter(isAble);
    const apart = able.filter((entry) => entry.apart);
    for (const entry of able.filter((one) => !one.apart)) running.push(await entry.start());
    const parts = [];
    if (apart.length === 0) parts.push(await measuredTogether(scenario, running, load, upstream, only));
    for (const { start } of apart) {
      const one = await start();
      try {
        parts.push(await measuredTogether(scenario, [...running, one], load, upstream, only));
      } finally {
        await one.end();
      }
    }
    return joined(parts);
  } finally {
    for (const system of running.reverse()) await system.end();
    await upstream.end();
  }
}

function isAble({ lacks }) {
  if (lacks) say(`skipped: ${lacks}`);
  return !lacks;
}

async function measuredTogether(scenario, systems, load, upstream, only) {
  const wanted = only === undefined ? systems : systems.filter(({ name }) => name.includes(only));
  const names = wanted.map(({ name }) => name);
  const figures = wanted.length === 0 && systems.length > 0 ? NOTHING : await scenario.run(wanted, load, upstream);
  return { names, ...figures };
}

const NOTHING = { rows: [], ratios: {} };

/** One table: what was measured again, beside another system, says so. */
function joined(parts) {
  const names = [];
  const rows = [];
  const ratios = {};
  for (const part of parts) {
    const isAgain = (system) => names.includes(system);
    rows.push(...part.rows.map((row) => (isAgain(row.system) ? { ...row, system: `${row.system}, again` } : row)));
    for (const [pair, ratio] of Object.entries(part.ratios)) ratios[pair] ??= ratio;
    names.push(...part.names.filter((name) => !isAgain(name)));
  }
  return { mode: names.join(', ') || 'loopback', rows, ratios };
}

function pageOf(title, { scenario, machine, method, load, rows, ratios }, date) {
  const members = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const { connections, windows, seconds, workers } = load;
  const asked = workers === undefined ? '' : ` --workers ${workers}`;
  return `# ${scenario}, ${date}

${title}. ${connections} connections, ${windows} windows of ${seconds} s.

- Machine: ${machine}
- Method: ${method}
- Command: \`npm run bench:load -- --scenario ${scenario}${asked}\`

${line(members)}
${line(members.map(() => '---'))}
${rows.map((row) => line(members.map((member) => row[member] ?? ''))).join('\n')}

${Object.entries(ratios)
  .map(([name, ratio]) => `- ${name}: ${ratio}`)
  .join('\n')}
`;
}
