import { jsonArguments } from './json';
import { bodyLimits } from './parsed-body';
import { noPrompt, promptOf, type Prompt } from './prompt';

function read(document: unknown): Prompt {
  return promptOf(jsonArguments(Buffer.from(JSON.stringify(document)).toString('latin1'), bodyLimits).arguments);
}

const named = (name: string, value: string) => ({ name, value });

it('reads a chat of OpenAI, with calls of tools and what came of them', () => {
  expect(
    read({
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          content: [
            { type: 'text', text: 'Weather?' },
            { type: 'image_url', image_url: { url: 'data:x' } },
          ],
          role: 'user',
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bonn"}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'rain' },
        { role: 'tool', tool_call_id: 'c9', content: [{ type: 'text', text: 'lost' }] },
      ],
      model: 'small',
      tools: [{ type: 'function', function: { name: 'weather', description: 'The weather' } }],
    }),
  ).toEqual({
    model: ['small'],
    system: ['Be brief.'],
    texts: [named('user.1', 'Weather?'), named('user.1', 'data:x'), named('assistant.2', '')],
    toolArguments: [named('weather', '{"city":"Bonn"}')],
    toolResults: [named('weather', 'rain'), named('c9', 'lost')],
  });
});

it('reads messages of Anthropic', () => {
  expect(
    read({
      model: 'm',
      system: [{ type: 'text', text: 'Be kind.' }],
      messages: [
        { role: 'user', content: 'Read it.' },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'Well.' },
            { type: 'tool_use', id: 't1', name: 'read_file', input: { path: 'a.txt', lines: [1, 2] } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: 'the file' }] },
            { type: 'tool_result', tool_use_id: 't1', content: 'again' },
          ],
        },
      ],
    }),
  ).toEqual({
    model: ['m'],
    system: ['Be kind.'],
    texts: [named('user.0', 'Read it.'), named('assistant.1', 'Well.')],
    toolArguments: [named('read_file', 'a.txt'), named('read_file', '1'), named('read_file', '2')],
    toolResults: [named('read_file', 'the file'), named('read_file', 'again')],
  });
});

it('reads responses of OpenAI', () => {
  expect(
    read({
      instructions: 'Be exact.',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
        { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c1', output: 'seen' },
      ],
    }),
  ).toEqual({
    ...noPrompt,
    system: ['Be exact.'],
    texts: [named('user.0', 'Hello')],
    toolArguments: [named('look', '{}')],
    toolResults: [named('look', 'seen')],
  });
});

it('reads contents of Google', () => {
  expect(
    read({
      systemInstruction: { parts: [{ text: 'Be calm.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'Hi' }] },
        { role: 'model', parts: [{ functionCall: { name: 'look', args: { at: 'sky' } } }] },
        { role: 'user', parts: [{ functionResponse: { name: 'look', response: { sees: 'stars' } } }] },
      ],
    }),
  ).toEqual({
    ...noPrompt,
    system: ['Be calm.'],
    texts: [named('user.0', 'Hi')],
    toolArguments: [named('look', 'sky')],
    toolResults: [named('look', 'stars')],
  });
});

it.each([
  ['a text to be completed', { prompt: 'Once' }, [named('user.0', 'Once')]],
  ['texts to be completed', { prompt: ['Once', 'Twice'] }, [named('user.0', 'Once'), named('user.1', 'Twice')]],
  ['an input', { input: 'Once' }, [named('user.0', 'Once')]],
  ['inputs', { input: ['Once', 'Twice'] }, [named('user.0', 'Once'), named('user.1', 'Twice')]],
  ['what no wire has', { messages: [{ role: 'user', thoughts: { inner: ['Once'] } }] }, [named('user.0', 'Once')]],
  ['a message that is a text', { messages: ['Once'] }, [named('user.0', 'Once')]],
  ['messages that are one', { messages: { role: 'user', content: 'Once' } }, [named('user.0', 'Once')]],
])('reads %s', (_, document, texts) => expect(read(document).texts).toEqual(texts));

it('reads calls of the Model Context Protocol, alone and in a list', () => {
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { arguments: { path: 'a' }, name: 'read_file' } };
  expect(read(call)).toEqual({ ...noPrompt, toolArguments: [named('read_file', 'a')] });
  const other = { ...call, params: { name: 'write_file', arguments: { text: 'b' } } };
  expect(read([call, other]).toolArguments).toEqual([named('read_file', 'a'), named('write_file', 'b')]);
});

it('reads what a client of the Model Context Protocol has its model say', () => {
  const result = { role: 'assistant', model: 'm', content: { type: 'text', text: 'Done' } };
  expect(read({ jsonrpc: '2.0', id: 1, result }).texts).toContainEqual(named('assistant.0', 'Done'));
});

it('leaves out nothing that stands deep in a message', () => {
  const deep = { a: { b: { c: { d: { e: { f: { g: { h: 'Once' } } } } } } } };
  expect(read({ messages: [{ role: 'user', content: [{ document: deep }] }] }).texts).toEqual([
    named('user.0', 'Once'),
  ]);
  expect(read({ messages: [{ role: 'user', content: [{ ['k'.repeat(400)]: 'Once' }] }] }).texts).toHaveLength(1);
});

it('is no prompt where nothing is said', () => {
  expect(read({ item: 'lamp', count: 2 })).toEqual(noPrompt);
  expect(read('text')).toEqual(noPrompt);
});

it('takes a text for that of each role where a message names two, as some read the first and some the last', () => {
  const { arguments: found } = jsonArguments(
    '{"messages":[{"role":"user","content":"x","role":"system"}]}',
    bodyLimits,
  );
  expect(promptOf(found)).toMatchObject({ system: ['x'], texts: [named('user.0', 'x')] });
});
