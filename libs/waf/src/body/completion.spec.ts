import { completionInSteps } from './completion';

const latin1 = (text: string) => Buffer.from(text).toString('latin1');
const document = (value: unknown) => latin1(JSON.stringify(value, undefined, 1));
const events = (...values: unknown[]) =>
  latin1(values.map((value) => `event: x\ndata: ${JSON.stringify(value)}\n\n`).join(''));
function completionOf(body: string) {
  const steps = completionInSteps(body);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
const said = (choice: string, value: string) => ({ name: choice, value });

it('reads an answer of a chat of OpenAI: texts, refusals and arguments of tools', () => {
  const body = document({
    id: 'c1',
    model: 'small',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'Hello.',
          tool_calls: [
            { id: 't1', type: 'function', function: { name: 'read', arguments: '{"path":"a"}' } },
            { id: 't2', type: 'function', function: { name: 'read', arguments: '{"path":"b"}' } },
          ],
        },
        logprobs: { content: [{ token: 'Hello', bytes: [72] }] },
        finish_reason: 'stop',
      },
      { index: 1, message: { role: 'assistant', refusal: 'No.' } },
      { index: 2, text: 'older' },
    ],
    usage: { prompt_tokens: 1 },
  });
  expect(completionOf(body)).toEqual([
    said('0', 'Hello.'),
    said('0', '{"path":"a"}'),
    said('0', '{"path":"b"}'),
    said('1', 'No.'),
    said('2', 'older'),
  ]);
});

it('puts the pieces of a stream together, each choice for itself', () => {
  const piece = (index: number, content: string) => ({ choices: [{ index, delta: { content } }] });
  const body = `${events(piece(0, 'my pass'), piece(1, 'oth'), piece(0, 'word'), piece(1, 'er'))}data: [DONE]\n\n`;
  expect(completionOf(body)).toEqual([said('0', 'my password'), said('1', 'other')]);
  const call = (index: number, args: string) => ({
    choices: [{ delta: { tool_calls: [{ function: { arguments: args }, index }] }, index: 0 }],
  });
  expect(completionOf(events(call(0, '{"a"'), call(1, '{"b"'), call(0, ':1}'), call(1, ':2}')))).toEqual([
    said('0', '{"a":1}'),
    said('0', '{"b":2}'),
  ]);
});

it('reads events of Anthropic and of the responses of OpenAI by the number beside them', () => {
  const anthropic = events(
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'see' } },
    { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"a":' } },
    { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '1}' } },
  );
  expect(completionOf(anthropic)).toEqual([said('0', 'see'), said('1', '{"a":1}')]);
  const responses = events(
    { type: 'response.output_text.delta', output_index: 0, delta: 'one ' },
    { type: 'response.output_text.delta', output_index: 0, delta: 'two' },
    { type: 'response.completed', response: { output: [{ content: [{ type: 'output_text', text: 'one two' }] }] } },
  );
  expect(completionOf(responses)).toEqual([said('0', 'one two')]);
});

it('reads documents of Anthropic, Google and Ollama', () => {
  expect(completionOf(document({ role: 'assistant', content: [{ type: 'text', text: 'Hi' }] }))).toEqual([
    said('0', 'Hi'),
  ]);
  const google = (text: string) => ({ candidates: [{ content: { parts: [{ text }], role: 'model' } }] });
  expect(completionOf(document([google('He'), google('llo')]))).toEqual([said('0', 'Hello')]);
  const lines = [{ message: { content: 'He' } }, { message: { content: 'llo' } }].map((line) => JSON.stringify(line));
  expect(completionOf(lines.join('\n'))).toEqual([said('0', 'Hello')]);
  expect(completionOf(document({ response: 'Hello' }))).toEqual([said('0', 'Hello')]);
});

it('keeps what was read of an answer that is cut off, or no answer at all', () => {
  expect(completionOf('{"choices":[{"message":{"content":"a"},"x":{"content":"b')).toEqual([said('0', 'a')]);
  expect(completionOf('data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"cho')).toEqual([said('0', 'a')]);
  for (const body of ['', 'plain text', '<html>', 'data: x\n\n', '{"choices":{"x":1}}'])
    expect(completionOf(body)).toEqual([]);
});

it('takes time in proportion to the answer', () => {
  const used = (times: number) => {
    const body = 'data: {"choices":[{"delta":{"content":"a b c d"}}]}\n\n'.repeat(times);
    const began = process.cpuUsage();
    completionOf(body);
    const { user, system } = process.cpuUsage(began);
    return user + system;
  };
  const quickest = (times: number) => Math.min(used(times), used(times), used(times));
  quickest(1_000);
  expect(quickest(8_000) / quickest(1_000)).toBeLessThan(40);
});

it('pauses every few lines and leaves, so that nobody waits for all of an answer', () => {
  const pausesOf = (body: string) => [...completionInSteps(body)].length;
  const event = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
  expect(pausesOf(event.repeat(2_560))).toBe(20);
  expect(pausesOf('event: x\n'.repeat(2_560))).toBe(10);
  expect(pausesOf(`{"choices":[${'{"text":"a"},'.repeat(2_560)}{}]}`)).toBeGreaterThanOrEqual(20);
});
