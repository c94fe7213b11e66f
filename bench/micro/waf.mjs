// What inspection costs a request: `npm run -s bench:waf -- --rules DIR [--setup FILE] [--paranoia 1] [--seconds 1] [--hostile] [--json]`
// With `--hostile` instead: the longest time for which bodies made to keep it busy leave nobody else their turn.
// Prints microseconds of processor time for a whole inspection, the median of five windows, each value new in each request.
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { build } from '../../tools/build.mjs';
import { Failure, whenMain } from '../../tools/process.mjs';
import { median } from '../load/machine.mjs';
import { hostileBodies } from '../waf-hostile.mjs';
import { standardRequests } from '../waf-requests.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

const WINDOWS = 5;
/** Requests that are made at once, outside of what is measured. */
const BATCH = 64;

whenMain(import.meta, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      rules: { type: 'string' },
      setup: { type: 'string' },
      paranoia: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '1' },
      hostile: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.rules === undefined) throw new Failure('Name the folder of the rules: --rules DIR', 2);
  if (!existsSync(values.rules)) throw new Failure(`There is no ${values.rules}`, 3);
  await build();
  const paranoia = Number(values.paranoia);
  const place = placeOf(values.rules, values.setup);
  const { engine, plan, name, program } = await engineOf(place, paranoia);
  if (values.hostile) return reportHostile({ rules: name, paranoia }, program, values.json);
  const figures = {};
  for (const [kind, make] of Object.entries(standardRequests))
    figures[kind] = measure(engine, plan, make, Number(values.seconds));
  const report = { rules: name, paranoia, unit: 'cpu-us', median: figures };
  if (values.json) return console.log(JSON.stringify(report));
  console.log(`${name}, paranoia level ${paranoia}`);
  for (const [kind, micros] of Object.entries(figures))
    console.log(`${kind.padEnd(10)} ${String(micros).padStart(6)} cpu-µs per request`);
});

function placeOf(folder, setup) {
  const rules = existsSync(join(folder, 'rules')) ? join(folder, 'rules') : folder;
  const beside = [rules, dirname(rules)].flatMap((place) => [
    join(place, 'crs-setup.conf'),
    join(place, 'crs-setup.conf.example'),
  ]);
  return {
    name: basename(rules),
    origin: 'environment',
    rules,
    setup: setup ?? beside.find((path) => existsSync(path)),
    around: [],
  };
}

/** A cold engine on a busy machine must not run out of what a request may cost. */
const budget = { slice: 60_000, base: 60_000, perKib: 0, most: 60_000 };

/** The engine as the product builds it, but that it never stops for others: there are none. */
async function engineOf(place, paranoia) {
  const { readRuleSet, sourceOf } = require('./apps/waf/src/rulesets/rule-files.js');
  const { programOf } = require('./apps/waf/src/rulesets/program-of.js');
  const { compilePlan, compileRuleSet, Engine, planId } = require('./libs/waf/src/index.js');
  const text = await readRuleSet(place);
  const ruleSet = compileRuleSet(sourceOf(text));
  const plan = planId({ profile: 'structural', mode: 'block', paranoia: { block: paranoia, detect: paranoia } });
  const rules = { name: text.name, program: programOf(ruleSet, text, compilePlan(plan)) };
  const engine = new Engine({ rules: () => rules, later: (next) => next(), budget });
  const signature = text.files.map((file) => /"OWASP_CRS\/(\d[\d.]*)"/.exec(file.text)?.[1]).find(Boolean);
  return { engine, plan, name: signature ? `crs-${signature}` : text.name, program: rules.program };
}

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

/** @returns milliseconds of processor time */
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
      const before = process.cpuUsage();
      done = work.next().done;
      const { user, system } = process.cpuUsage(before);
      longest = Math.max(longest, (user + system) / 1000);
    }
  };
  run(transaction.requestHead(head));
  run(transaction.requestBody({ raw: body }));
  run(transaction.finish());
  return longest;
}

function measure(engine, plan, make, seconds) {
  const state = { engine, plan, make, seed: 0 };
  // The compiler of Node works in the background; it has had its time when windows have become alike.
  processorTime(state, 2 * seconds);
  const windows = Array.from({ length: WINDOWS }, () => processorTime(state, seconds));
  return Math.round(median(windows) * 10) / 10;
}

/** @returns microseconds of processor time a request, over at least so many seconds of it */
function processorTime(state, seconds) {
  let micros = 0;
  let done = 0;
  while (micros < seconds * 1e6) {
    const requests = Array.from({ length: BATCH }, () => prepared(state.make(state.seed++)));
    const before = process.cpuUsage();
    for (const request of requests) inspect(state, request);
    const { user, system } = process.cpuUsage(before);
    micros += user + system;
    done += BATCH;
  }
  return micros / done;
}

/** A request as the ingress hands it over. */
function prepared({ method, path, fields, body }) {
  const { canonicalRequest, limits } = require('./libs/proxy/src/index.js');
  const framing = body === undefined ? [] : [['content-length', String(body.length)]];
  const raw = {
    method,
    target: path,
    rawHeaders: [...fields, ['host', 'shop.example'], ...framing].flat(),
    httpVersion: '1.1',
    remoteAddress: '192.0.2.7',
    encrypted: false,
  };
  const head = canonicalRequest(raw, limits.head);
  if (!head.path) throw new Error(`The request is refused: ${JSON.stringify(head)}`);
  return { head, body: body === undefined ? undefined : Buffer.from(body) };
}

function inspect({ engine, plan, seed }, { head, body }) {
  let last;
  const inspection = engine.open(
    { head, plan, tenant: 'default', requestId: `bench-${seed}` },
    (answer) => (last = answer),
  );
  if (body !== undefined) {
    inspection.body(body);
    inspection.bodyEnd();
  }
  inspection.close('answered');
  const { verdict, inspected, hits } = last;
  if (verdict !== 'pass' || inspected.extent !== 'full' || !last.enough)
    throw new Error(`A plain request did not pass: ${JSON.stringify({ verdict, inspected, hits })}`);
}
