// What inspection costs a request: `npm run -s bench:waf -- --rules DIR [--setup FILE] [--paranoia 1] [--seconds 1] [--hostile | --memory] [--json]`
// With `--hostile` instead: the longest time for which bodies made to keep it busy leave nobody else their turn.
// With `--memory` instead: what the process holds more than before once the rules are compiled and their tables warm.
// Prints microseconds of processor time for a whole inspection, the median of five windows, each value new in each request.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { build } from '../../tools/build.mjs';
import { Failure, whenMain } from '../../tools/process.mjs';
import { median } from '../load/machine.mjs';
import { hostileBodies } from '../waf-hostile.mjs';
import { askedWith, engineOf, inspectFor, placeOf } from '../waf-engine.mjs';
import { standardRequests } from '../waf-requests.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

const WINDOWS = 5;

whenMain(import.meta, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      rules: { type: 'string' },
      setup: { type: 'string' },
      paranoia: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '1' },
      hostile: { type: 'boolean', default: false },
      memory: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.rules === undefined) throw new Failure('Name the folder of the rules: --rules DIR', 2);
  if (!existsSync(values.rules)) throw new Failure(`There is no ${values.rules}`, 3);
  await build();
  const paranoia = Number(values.paranoia);
  const place = placeOf(values.rules, values.setup);
  const before = values.memory ? residentMiB() : undefined;
  const built = await engineOf(place, paranoia);
  const { name } = built;
  if (values.hostile) return reportHostile({ rules: name, paranoia }, built.program, values.json);
  if (values.memory) return reportMemory({ rules: name, paranoia }, built, before, values.json);
  const figures = {};
  for (const kind of Object.keys(standardRequests))
    figures[kind] = measure(askedWith(built, kind), Number(values.seconds));
  const report = { rules: name, paranoia, unit: 'cpu-us', median: figures };
  if (values.json) return console.log(JSON.stringify(report));
  console.log(`${name}, paranoia level ${paranoia}`);
  for (const [kind, micros] of Object.entries(figures))
    console.log(`${kind.padEnd(10)} ${String(micros).padStart(6)} cpu-µs per request`);
});

/** The first round finds code that was not compiled yet and states that were not met; what counts is the median of the others. */
const ROUNDS = 6;

function reportHostile(about, program, json) {
  const longest = {};
  for (const [kind, { type, body }] of Object.entries(hostileBodies())) {
    const rounds = Array.from({ length: ROUNDS }, () => longestSlice(program, type, body));
    longest[kind] = { first: rounds[0], median: median(rounds.slice(1)) };
  }
  if (json) return console.log(JSON.stringify({ ...about, unit: 'cpu-ms', longest }));
  console.log(`${about.rules}, paranoia level ${about.paranoia}: the longest slice, cpu-ms`);
  for (const [kind, { first, median: warm }] of Object.entries(longest))
    console.log(`${kind.padEnd(24)} ${warm.toFixed(1).padStart(6)}   at first ${first.toFixed(1)}`);
}

/** Bodies that meet as many states as they can, each so often that its code is compiled. */
function reportMemory(about, { program }, before, json) {
  const compiled = residentMiB() - before;
  for (let round = 0; round < ROUNDS; round++)
    for (const { type, body } of Object.values(hostileBodies())) longestSlice(program, type, body);
  const warm = residentMiB() - before;
  if (json) return console.log(JSON.stringify({ ...about, unit: 'MiB', compiled, warm }));
  console.log(`${about.rules}, paranoia level ${about.paranoia}: resident memory, MiB more than before`);
  console.log(`compiled ${compiled}\nwarm     ${warm}`);
}

/** Resident memory of this process without its garbage. */
function residentMiB() {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  collect();
  collect();
  return Math.round(process.memoryUsage.rss() / 1024 / 1024);
}

/** @returns milliseconds that the event loop would have stood still: at least what its thread ran, of processor time */
function longestSlice(program, type, body) {
  const { defaultBudget } = require('./libs/waf/src/index.js');
  const transaction = program.begin({
    mode: 'detect',
    requestId: 'bench',
    now: () => performance.now(),
    budget: { ...defaultBudget, base: 60_000, most: 60_000 },
  });
  const fields = Object.entries({ host: 'shop.example', 'user-agent': 'Mozilla/5.0', 'content-type': type });
  const head = {
    method: 'POST',
    target: '/',
    protocol: 'HTTP/1.1',
    clientAddress: '192.0.2.7',
    fields: fields.map(([name, value]) => ({ name, value })),
  };
  let longest = 0;
  const run = (work) => {
    for (let done = false; !done;) {
      const begun = performance.now();
      const before = process.cpuUsage();
      done = work.next().done;
      const { user, system } = process.cpuUsage(before);
      // This thread ran no longer than time has passed, and no longer than all threads ran: V8 compiles what is cold on others.
      longest = Math.max(longest, Math.min((user + system) / 1000, performance.now() - begun));
    }
  };
  run(transaction.requestHead(head));
  run(transaction.requestBody({ raw: body }));
  run(transaction.finish());
  return longest;
}

function measure(state, seconds) {
  const window = (length) => {
    const { micros, done } = inspectFor(state, length);
    return micros / done;
  };
  // The compiler of Node works in the background; it has had its time when windows have become alike.
  window(2 * seconds);
  return Math.round(median(Array.from({ length: WINDOWS }, () => window(seconds))) * 10) / 10;
}
