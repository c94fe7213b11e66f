// The engine by itself: built as the product builds it, and asked with the standard requests.
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { existsSync } from 'node:fs';
import { standardRequests } from './waf-requests.mjs';

const require = createRequire(new URL('../dist/', import.meta.url));

/** Requests that are made at once, outside of what is measured. */
const BATCH = 64;

/**
 * Where the files of a rule set are.
 * @param folder the folder of its rules, or the one around that
 * @param setup its setup file; left out: the one that lies beside the rules
 */
export function placeOf(folder, setup) {
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

/**
 * The engine as the product builds it, but that it never stops for others: there are none.
 * @param place as `placeOf` gives it
 */
export async function engineOf(place, paranoia) {
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

/** One kind of the standard requests on one engine; no request is made twice. */
export function askedWith({ engine, plan }, kind) {
  return { engine, plan, make: standardRequests[kind], seed: 0 };
}

/**
 * @param state as `askedWith` gives it
 * @returns how many requests were inspected in at least so many seconds of processor time, and in how many microseconds of it
 */
export function inspectFor(state, seconds) {
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
  return { micros, done };
}

/** A request as the ingress hands it over. */
function prepared({ method, path, host, fields, body }) {
  const { canonicalRequest, limits } = require('./libs/proxy/src/index.js');
  const framing = body === undefined ? [] : [['content-length', String(body.length)]];
  const raw = {
    method,
    target: path,
    rawHeaders: [...fields, ['host', host], ...framing].flat(),
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
