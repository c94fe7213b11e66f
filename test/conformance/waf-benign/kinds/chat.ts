import { programFields } from '../clients';
import type { Kind } from '../generator';
import type { Random } from '../random';
import { pastedCode, type Vocabulary } from '../vocabulary';

/** A program asks a language model, in the wires of OpenAI and Anthropic. */
export const chat: Kind = (random, vocabulary) => {
  const [target, document] = random.pick(wires)(random, vocabulary);
  return {
    profile: 'llm',
    method: 'POST',
    target,
    fields: [...programFields(random), ['Content-Type', 'application/json'], ...extraFields(random)],
    body: Buffer.from(JSON.stringify(document)),
  };
};

function extraFields(random: Random): (readonly [string, string])[] {
  return random.happens(40)
    ? [
        ['anthropic-version', '2023-06-01'],
        ['x-api-key', `sk-ant-${random.hex(40)}`],
      ]
    : [['X-Stainless-Lang', 'js']];
}

/** What somebody asks, often with something pasted. */
function prompt(random: Random, words: Vocabulary): string {
  const question = random.pick([
    'Explain what this does, step by step:',
    'Why does this fail?',
    'Rewrite it so that it is safe against injection.',
    'Translate into German:',
    'Summarise in three bullet points:',
    'Write unit tests for the following',
  ]);
  const pasted = random.pick(pastedCode);
  return random.happens(50) ? `${question}\n\n\`\`\`\n${pasted}\n\`\`\`` : `${question} ${words.text(1, 8)}`;
}

function tool(random: Random) {
  return {
    name: random.pick(['get_weather', 'search_orders', 'run_sql', 'read_file']),
    description: 'Looks something up. Use it when the user asks for facts; never guess.',
    schema: {
      type: 'object',
      properties: {
        query: { type: 'string', description: "What to look for, e.g. 'red shoes'" },
        limit: { type: 'integer', minimum: 1, maximum: 50, default: 10 },
        order: { type: 'string', enum: ['asc', 'desc'] },
      },
      required: ['query'],
      additionalProperties: false,
    },
  };
}

const wires: readonly ((random: Random, words: Vocabulary) => [target: string, document: unknown])[] = [
  (random, words) => [
    '/v1/chat/completions',
    {
      model: random.pick(['gpt-5', 'gpt-4o-mini', 'llama-3.3-70b']),
      messages: [
        {
          role: 'system',
          content: 'You are a helpful assistant. Answer in the language of the question; do not execute code.',
        },
        ...random.times(1, 5, (at) => ({ role: at % 2 === 0 ? 'user' : 'assistant', content: prompt(random, words) })),
      ],
      temperature: 0.2,
      max_tokens: random.between(64, 4096),
      stream: random.happens(60),
      stop: ['\n\n', '###'],
      user: random.uuid(),
    },
  ],
  (random, words) => [
    '/v1/chat/completions',
    {
      model: 'gpt-4o',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: prompt(random, words) },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${picture(random)}` } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: `call_${random.hex(12)}`,
              type: 'function',
              function: { name: 'run_sql', arguments: JSON.stringify({ query: random.pick(pastedCode) }) },
            },
          ],
        },
        {
          role: 'tool',
          tool_call_id: `call_${random.hex(12)}`,
          content: JSON.stringify({ rows: [[1, words.name()]] }),
        },
      ],
      tools: random.times(1, 3, () => {
        const { name, description, schema } = tool(random);
        return { type: 'function', function: { name, description, parameters: schema, strict: true } };
      }),
      tool_choice: 'auto',
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'answer', schema: { type: 'object', properties: { text: { type: 'string' } } } },
      },
    },
  ],
  (random, words) => [
    '/v1/messages',
    {
      model: 'claude-sonnet-4-5',
      max_tokens: random.between(256, 8192),
      system: [{ type: 'text', text: `Be brief. ${words.text(1, 3)}`, cache_control: { type: 'ephemeral' } }],
      messages: [
        { role: 'user', content: prompt(random, words) },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: words.sentence() },
            {
              type: 'tool_use',
              id: `toolu_${random.hex(20)}`,
              name: 'read_file',
              input: { path: '/etc/hosts', query: random.pick(pastedCode) },
            },
          ],
        },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: `toolu_${random.hex(20)}`, content: random.pick(pastedCode) }],
        },
      ],
      tools: random.times(1, 3, () => {
        const { name, description, schema } = tool(random);
        return { name, description, input_schema: schema };
      }),
      metadata: { user_id: random.uuid() },
    },
  ],
  (random, words) => [
    '/v1/responses',
    {
      model: 'gpt-5',
      instructions: words.text(1, 3),
      input: [{ role: 'user', content: [{ type: 'input_text', text: prompt(random, words) }] }],
      reasoning: { effort: 'low' },
      store: false,
    },
  ],
  (random, words) => [
    '/v1/embeddings',
    { model: 'text-embedding-3-small', input: random.times(1, 6, () => words.text(1, 4)), encoding_format: 'float' },
  ],
  (random, words) => [
    '/v1/completions',
    { model: 'davinci-002', prompt: prompt(random, words), max_tokens: 100, logit_bias: { 50256: -100 } },
  ],
];

/** Bytes that could be those of a picture. */
function picture(random: Random): string {
  return random.bytes(300).toString('base64');
}
