// What can be asked of the benchmarks under load.
import { parseArgs } from 'node:util';
import { Failure } from '../../tools/process.mjs';
import { scenarios } from './scenarios/registry.mjs';

const options = {
  scenario: { type: 'string', default: 'proxy', help: 'NAME     what is measured' },
  seconds: { type: 'string', default: '5', help: 'N         length of a window' },
  windows: { type: 'string', default: '5', help: 'N         windows of each system' },
  connections: { type: 'string', default: '32', help: 'N     callers at once' },
  workers: {
    type: 'string',
    help: 'N         workers of the ingress in a cluster, instead of as many as it starts by itself',
  },
  minutes: { type: 'string', default: '30', help: 'N         length of the soak' },
  only: { type: 'string', help: 'NAME         systems whose name has this' },
  profile: { type: 'string', help: 'DIR       every process of Sallyport writes a CPU profile' },
  json: { type: 'boolean', default: false, help: '             one JSON object with every figure' },
  keep: { type: 'boolean', default: false, help: '             also writes bench/results/<date>-<scenario>.{json,md}' },
  help: { type: 'boolean', default: false, help: '             this text' },
};

/** @throws Failure for an option or a scenario that is not there */
export function loadOptions(args) {
  let values;
  try {
    values = parseArgs({ args, options }).values;
  } catch (error) {
    throw new Failure(`${error.message}\n\n${usage()}`, 64);
  }
  if (scenarios[values.scenario]) return values;
  throw new Failure(`there is no scenario “${values.scenario}”; there are ${Object.keys(scenarios).join(', ')}`, 64);
}

export function usage() {
  const lines = Object.entries(options).map(([name, { help, default: value }]) => {
    const otherwise = typeof value === 'string' ? ` (${value})` : '';
    return `  --${name} ${help}${otherwise}`;
  });
  return ['npm run bench:load -- [options]', ...lines, `scenarios: ${Object.keys(scenarios).join(', ')}`].join('\n');
}
