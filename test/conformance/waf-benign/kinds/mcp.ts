import { programFields } from '../clients';
import type { Kind } from '../generator';
import type { Random } from '../random';
import { pastedCode, type Vocabulary } from '../vocabulary';

/** A client of the Model Context Protocol, over its HTTP transport. */
export const mcp: Kind = (random, vocabulary) => ({
  profile: 'mcp',
  method: 'POST',
  target: random.pick(['/mcp', '/servers/files/mcp']),
  fields: [
    ...programFields(random).filter(([name]) => name !== 'Accept'),
    ['Accept', 'application/json, text/event-stream'],
    ['Content-Type', 'application/json'],
    ['MCP-Protocol-Version', '2025-06-18'],
    ['Mcp-Session-Id', random.uuid()],
  ],
  body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...random.pick(messages)(random, vocabulary) })),
});

const call = (random: Random, name: string, args: unknown) => ({
  id: random.int(1000),
  method: 'tools/call',
  params: { name, arguments: args, _meta: { progressToken: random.int(100) } },
});

const messages: readonly ((random: Random, words: Vocabulary) => object)[] = [
  () => ({
    id: 0,
    method: 'initialize',
    params: {
      protocolVersion: '2025-06-18',
      capabilities: { roots: { listChanged: true }, sampling: {}, elicitation: {} },
      clientInfo: { name: 'desk-assistant', title: 'Desk Assistant', version: '1.4.0' },
    },
  }),
  () => ({ method: 'notifications/initialized' }),
  (random) => ({
    id: random.int(1000),
    method: random.pick(['tools/list', 'resources/list', 'prompts/list']),
    params: { cursor: random.hex(12) },
  }),
  (random, words) =>
    call(random, 'search_orders', { query: words.product(), limit: random.between(1, 50), status: ['open', 'paid'] }),
  (random, words) =>
    call(random, 'create_ticket', { title: words.sentence(), body: words.text(1, 5), labels: ['bug', 'p2'] }),
  (random, words) => call(random, 'send_message', { channel: '#general', text: words.text(1, 3) }),
  (random) =>
    call(random, 'read_file', {
      path: random.pick(['src/index.ts', 'docs/how-to.md', 'README.md', 'packages/a/b.json']),
    }),
  (random) => call(random, 'get_weather', { latitude: random.int(90), longitude: -random.int(180), units: 'metric' }),
  (random) =>
    call(random, 'fetch', { url: `https://www.example.org/articles/${random.int(999)}?lang=en`, max_length: 5000 }),
  (random, words) =>
    call(random, 'calendar_create', {
      title: words.sentence(),
      start: random.moment(),
      attendees: [words.email(), words.email()],
    }),
  (random) => ({
    id: random.int(1000),
    method: 'resources/read',
    params: { uri: random.pick(['docs://guide/intro', 'note://today', 'https://example.org/a.txt']) },
  }),
  (random, words) => ({
    id: random.int(1000),
    method: 'prompts/get',
    params: { name: 'review', arguments: { topic: words.product() } },
  }),
  (random, words) => ({
    id: random.int(1000),
    result: {
      role: 'assistant',
      model: 'claude',
      content: { type: 'text', text: `${words.sentence()}\n${random.pick(pastedCode)}` },
      stopReason: 'endTurn',
    },
  }),
  (random) => ({
    method: 'notifications/cancelled',
    params: { requestId: random.int(1000), reason: "User doesn't want it any more" },
  }),
];
