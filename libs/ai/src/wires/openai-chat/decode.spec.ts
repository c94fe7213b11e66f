import { OpenAiChatTap, readWholeAnswer } from './decode';

const event = (value: unknown) => Buffer.from(`data: ${JSON.stringify(value)}\n\n`);
const delta = (value: object, finish: string | null = null) =>
  event({ choices: [{ index: 0, delta: value, finish_reason: finish }] });

describe('OpenAiChatTap', () => {
  it.each<[string, Buffer, string]>([
    ['a role', delta({ role: 'assistant', content: '' }), 'prelude'],
    ['a comment', Buffer.from(': ping\n\n'), 'prelude'],
    ['a first chunk without choices, as Azure sends it', event({ choices: [], prompt_filter_results: [] }), 'prelude'],
    ['text', delta({ content: 'x' }), 'content'],
    ['reasoning', delta({ reasoning_content: 'x' }), 'content'],
    ['a call', delta({ tool_calls: [{ index: 0 }] }), 'content'],
    ['no calls', delta({ tool_calls: [] }), 'prelude'],
    ['a refusal', delta({ refusal: 'no' }), 'content'],
    ['an end without a word', delta({}, 'length'), 'content'],
    ['usage alone', event({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } }), 'usage'],
    ['an error', event({ error: { message: 'x' } }), 'error'],
    ['the end marker', Buffer.from('data: [DONE]\n\n'), 'done'],
    ['the end marker without a space', Buffer.from('data:[DONE]\r\n\r\n'), 'done'],
  ])('takes %s for what it is', (_, bytes, tapped) => {
    expect(new OpenAiChatTap().read(bytes)).toBe(tapped);
  });

  it('still sees usage, errors and the finish after content', () => {
    const tap = new OpenAiChatTap();
    tap.read(delta({ content: 'a' }));
    expect(tap.read(delta({ content: 'b' }))).toBe('content');
    expect(tap.finished).toBe(false);
    tap.read(delta({}, 'stop'));
    expect(tap.finished).toBe(true);
    expect(tap.read(event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } }))).toBe('usage');
    expect(tap.usage).toMatchObject({ input: 3n, output: 2n });
    expect(tap.read(event({ error: {} }))).toBe('error');
  });

  it('is not fooled by a text that speaks of usage', () => {
    const tap = new OpenAiChatTap();
    tap.read(delta({ content: 'a' }));
    expect(tap.read(delta({ content: '"usage":{"prompt_tokens":9},"error":{}' }))).toBe('content');
    expect(tap.usage).toBeUndefined();
  });

  it('keeps the last usage where every chunk brings one', () => {
    const tap = new OpenAiChatTap();
    for (const completion_tokens of [1, 2, 3]) {
      const choices = [{ delta: { content: 'x' } }];
      tap.read(event({ choices, usage: { prompt_tokens: 1, completion_tokens } }));
    }
    expect(tap.usage).toMatchObject({ output: 3n });
  });
});

describe('readWholeAnswer', () => {
  it.each([
    ['{"choices":[],"error":{"message":"x"}}'],
    ['{"error":{"message":"x"}}'],
    ['{"choices":null}'],
    ['{"choices":[{}'],
    ['<html>'],
  ])('takes %s for no answer', (text) => expect(readWholeAnswer(Buffer.from(text))).toBeUndefined());

  it('reads usage wherever it stands, and takes no usage for unknown', () => {
    const usage = { prompt_tokens: 4, completion_tokens: 5 };
    expect(readWholeAnswer(Buffer.from(JSON.stringify({ usage, choices: [{}], error: null })))).toMatchObject({
      usage: { input: 4n, output: 5n },
    });
    expect(readWholeAnswer(Buffer.from('{"choices":[{}]}'))).toEqual({ usage: undefined, contentBytes: 4 });
  });
});
