// `ai-json`, `ai-stream`, `ai-paced`: one chat completion through Sallyport, which asks who is calling, counts, inspects, plans, keeps a
// ledger and an audit record, and through the Portkey gateway, which does none of it. Inspection cannot be taken off a model endpoint.
import { fireAt, measure, ratiosTo } from '../measure.mjs';
import { directly, nginxLacks, startNginx, startPortkey, startStreamingNginx } from '../peers.mjs';
import { clusterLacks, startAllInOne, startCluster } from '../sallyport.mjs';

/** As the upstream sends them. */
const EVENTS = 50;
/**
 * Requests under way at the same time: enough to keep a core busy. More of them would wait so long that consults find no
 * answer in their time and are refused, and what is measured then is how refusals are made.
 */
const UNDER_WAY = 8;
/** Paced streams last a second and cost little: many of them are open at once. */
const STREAMS = 48;

function aiScenario(title, { model, stream, startProxy, run }) {
  return {
    title,
    async systems(upstream) {
      const document = {
        accounts: [
          { name: 'bench', provider: 'openai', baseUrl: `http://127.0.0.1:${upstream.port}/v1`, allowPrivate: true },
        ],
        models: ['bench', 'paced'].map((name) => ({ name, fallback: [{ account: 'bench', model: name }] })),
      };
      const key = { OPENAI_API_KEY: 'key-of-the-provider' };
      return [
        { lacks: nginxLacks(), start: () => startProxy(upstream.port) },
        { start: () => startPortkey(upstream.port) },
        { start: () => startAllInOne(document, 'Sallyport all-in-one', key) },
        { lacks: clusterLacks(), start: () => startCluster(document, 'Sallyport cluster', key) },
      ];
    },
    async run(systems, load, upstream) {
      const rows = await run(systems, load, upstream, (system, name = model) => questions(system, name, stream));
      const portkey = rows.find(({ system }) => system.startsWith('Portkey'));
      return { rows, ratios: ratiosTo(portkey, rows, 'cpu_us_per_event' in rows[0] ? 'cpu_us_per_event' : 'cpu_us') };
    },
  };
}

function questions({ fields }, model, stream) {
  const body = JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Where is order 1?' }] });
  return [
    { method: 'POST', path: '/v1/chat/completions', fields: { ...fields, 'content-type': 'application/json' }, body },
  ];
}

function atOnce(systems, load, _, questionsTo) {
  const connections = Math.min(load.connections, UNDER_WAY);
  return measure(systems, { ...load, connections }, (system) => questionsTo(system));
}

/** Warmed up by bursts, which bring as many events in a second as paced streams in a minute. */
async function paced(systems, load, upstream, questionsTo) {
  const streams = { ...load, connections: STREAMS, seconds: Math.max(4, load.seconds) };
  for (const system of systems)
    await fireAt(system, { seconds: 15, connections: UNDER_WAY }, questionsTo(system, 'bench'));
  const everybody = [directly(upstream), ...systems];
  const rows = await measure(everybody, { ...streams, isWarm: true }, (system) => questionsTo(system));
  const [bare] = rows;
  return rows.slice(1).map((row) => ({
    ...row,
    cpu_us_per_event: Math.round((row.cpu_us / EVENTS) * 10) / 10,
    added_first_byte_p50_us: Math.round(row.first_byte_p50_us - bare.first_byte_p50_us),
  }));
}

export const aiJson = aiScenario(
  'One chat completion of 700 bytes: key, limits, inspection, plan, ledger, audit record',
  {
    model: 'bench',
    stream: false,
    startProxy: startNginx,
    run: atOnce,
  },
);

export const aiStream = aiScenario('One chat completion as a stream of 50 events of 190 bytes in a burst', {
  model: 'bench',
  stream: true,
  startProxy: startStreamingNginx,
  run: atOnce,
});

export const aiPaced = aiScenario(
  '48 chat completions at once, each a stream of an event every 20 ms; figures for one event',
  {
    model: 'paced',
    stream: true,
    startProxy: startStreamingNginx,
    run: paced,
  },
);
