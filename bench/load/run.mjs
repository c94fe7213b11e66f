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
    minutes: Number(values.minutes),
  };
  const { mode, rows, ratios } = await measured(scenario, load, values.only);
  const result = { scenario: values.scenario, mode, machine: describeMachine(), method: METHOD, load, rows, ratios };
  const date = new Date().toISOString().slice(0, 10);
  const page = pageOf(scenario.title, result, date);
  if (values.keep) {
    writeFileSync(join(root, `bench/results/${date}-${values.scenario}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(root, `bench/results/${date}-${values.scenario}.md`), page);
  }
  console.log(values.json ? JSON.stringify(result) : page);
}

async function measured(scenario, load, only) {
  const upstream = await startUpstream();
  const running = [];
  try {
    for (const { lacks, start } of await scenario.systems(upstream)) {
      if (lacks) say(`skipped: ${lacks}`);
      else running.push(await start());
    }
    const wanted = only === undefined ? running : running.filter(({ name }) => name.includes(only));
    const figures = await scenario.run(wanted, load, upstream);
    return { mode: wanted.map(({ name }) => name).join(', ') || 'loopback', ...figures };
  } finally {
    for (const system of running.reverse()) await system.end();
    await upstream.end();
  }
}

function pageOf(title, { scenario, machine, method, load, rows, ratios }, date) {
  const members = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const { connections, windows, seconds } = load;
  return `# ${scenario}, ${date}

${title}. ${connections} connections, ${windows} windows of ${seconds} s.

- Machine: ${machine}
- Method: ${method}
- Command: \`npm run bench:load -- --scenario ${scenario}\`

${line(members)}
${line(members.map(() => '---'))}
${rows.map((row) => line(members.map((member) => row[member] ?? ''))).join('\n')}

${Object.entries(ratios)
  .map(([name, ratio]) => `- ${name}: ${ratio}`)
  .join('\n')}
`;
}
