// `ai-json` and `ai-stream`: one chat completion through Sallyport and through the Portkey gateway, which records and limits nothing.
import { measure, ratiosTo } from '../measure.mjs';
import { startNginx, startPortkey, startStreamingNginx, nginxLacks } from '../peers.mjs';
import { clusterLacks, startAllInOne, startCluster } from '../sallyport.mjs';

const question = (stream) =>
  JSON.stringify({ model: 'bench', stream, messages: [{ role: 'user', content: 'Where is order 1?' }] });

function aiScenario(title, { stream, startProxy }) {
  return {
    title,
    async systems(upstream) {
      const document = {
        accounts: [
          { name: 'bench', provider: 'openai', baseUrl: `http://127.0.0.1:${upstream.port}/v1`, allowPrivate: true },
        ],
        models: [{ name: 'bench', fallback: [{ account: 'bench', model: 'bench' }] }],
      };
      const key = { OPENAI_API_KEY: 'key-of-the-provider' };
      return [
        { lacks: nginxLacks(), start: () => startProxy(upstream.port) },
        { start: () => startPortkey(upstream.port) },
        { start: () => startAllInOne(document, 'Sallyport all-in-one', key) },
        { lacks: clusterLacks(), start: () => startCluster(document, 'Sallyport cluster', key) },
      ];
    },
    async run(systems, load) {
      const requests = ({ fields }) => [
        {
          method: 'POST',
          path: '/v1/chat/completions',
          fields: { ...fields, 'content-type': 'application/json' },
          body: question(stream),
        },
      ];
      const rows = await measure(systems, load, requests);
      const portkey = rows.find(({ system }) => system.startsWith('Portkey'));
      return { rows, ratios: ratiosTo(portkey, rows) };
    },
  };
}

export const aiJson = aiScenario('One chat completion of 700 bytes: key, limits, plan, ledger, audit record', {
  stream: false,
  startProxy: startNginx,
});

export const aiStream = aiScenario('One chat completion as a stream of 50 events of 190 bytes in a burst', {
  stream: true,
  startProxy: startStreamingNginx,
});
