import { isRefusal } from '@sallyport/contracts';
import { encodeOpenAiChat } from '../../wires/openai-chat/encode';
import { readChatRequest } from './parse';

const messages = [{ role: 'user', content: 'hi' }];

function read(text: string) {
  const request = readChatRequest(Buffer.from(text));
  if (isRefusal(request)) throw new Error(String(request.params['reason']));
  return request;
}

describe('readChatRequest', () => {
  it('reads what routing, streaming and billing hang on', () => {
    const request = {
      model: 'gpt-é',
      messages,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 7,
      n: 3,
    };
    expect(read(JSON.stringify(request))).toMatchObject({
      model: 'gpt-é',
      stream: true,
      includeUsage: true,
      maxOutputTokens: 7,
      choices: 3,
    });
  });

  it('takes null for not given, and the newer of two limits', () => {
    const request = {
      model: 'm',
      messages,
      stream: null,
      stream_options: null,
      max_tokens: 7,
      max_completion_tokens: 9,
    };
    expect(read(JSON.stringify(request))).toMatchObject({
      stream: false,
      includeUsage: false,
      maxOutputTokens: 9,
      choices: 1,
    });
  });

  it.each([
    ['{"messages":[]}', 'the member “model” is missing'],
    ['{"model":"m"}', 'the member “messages” is missing'],
    ['{"model":5,"messages":[]}', '“model” must be the name of a model'],
    [`{"model":"${'m'.repeat(2000)}","messages":[]}`, '“model” must be the name of a model'],
    ['{"model":"","messages":[]}', '“model” must be the name of a model'],
    ['{"model":"m","messages":"x"}', '“messages” must be an array'],
    ['{"model":"m","messages":[],"stream":"true"}', '“stream” must be true or false'],
    ['{"model":"m","messages":[],"stream_options":[]}', '“stream_options” must be an object'],
    [
      '{"model":"m","messages":[],"stream_options":{"include_usage":1}}',
      '“stream_options.include_usage” must be true or false',
    ],
    ['{"model":"m","messages":[],"max_tokens":0}', '“max_tokens” must be a positive whole number'],
    ['{"model":"m","messages":[],"max_tokens":1.5}', '“max_tokens” must be a positive whole number'],
    ['{"model":"m","messages":[],"n":"2"}', '“n” must be a positive whole number'],
    ['{"model":"m","messages":[],"n":1,"n":128}', 'the member “n” comes twice'],
    ['{"model":"m","model":"n","messages":[]}', 'the member “model” comes twice'],
    ['{"model":"m","MODEL":"n","messages":[]}', 'the member “model” is written in another letter case'],
    ['not json', 'it is not a JSON object'],
  ])('refuses %s', (text, reason) => {
    expect(readChatRequest(Buffer.from(text))).toMatchObject({ code: 'AI_REQUEST_INVALID', params: { reason } });
  });
});

describe('encodeOpenAiChat', () => {
  it.each([
    ['{"model":"m","messages":[]}', '{"model":"t","messages":[]}'],
    [
      '{"model":"m","messages":[],"stream":true}',
      '{"stream_options":{"include_usage":true},"model":"t","messages":[],"stream":true}',
    ],
    [
      '{"model":"m","messages":[],"stream":true,"stream_options":null}',
      '{"model":"t","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      '{"model":"m","messages":[],"stream":true,"stream_options":{}}',
      '{"model":"t","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      '{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":false}}',
      '{"model":"t","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      '{"model":"m","messages":[],"stream":true,"stream_options":{"a":1}}',
      '{"model":"t","messages":[],"stream":true,"stream_options":{"include_usage":true,"a":1}}',
    ],
    [
      '{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
      '{"model":"t","messages":[],"stream":true,"stream_options":{"include_usage":true}}',
    ],
  ])('makes of %s', (text, body) => {
    expect(encodeOpenAiChat(read(text), 't').toString()).toBe(body);
  });
});
