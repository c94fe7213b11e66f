import fc from 'fast-check';
import { processorMillis } from '@sallyport/testkit';
import { echoAnswer, wordPieces } from './answer';

const answer = (request: object) => echoAnswer(Buffer.from(JSON.stringify(request)));

describe('echoAnswer', () => {
  it('says back the last thing the user said, and counts the words of everybody', () => {
    const messages = [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'yes' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'second one' },
          { type: 'image_url', image_url: {} },
        ],
      },
    ];
    expect(answer({ messages })).toEqual({
      text: 'second one',
      completionTokens: 2,
      finishReason: 'stop',
      promptTokens: 6,
      includeUsage: false,
    });
  });

  it('stops at the limit the caller set, and says so', () => {
    const messages = [{ role: 'user', content: 'one two three' }];
    expect(answer({ messages, max_tokens: 2 })).toMatchObject({
      text: 'one two',
      completionTokens: 2,
      finishReason: 'length',
    });
    expect(answer({ messages, max_tokens: 3 })).toMatchObject({ text: 'one two three', finishReason: 'stop' });
  });

  it('has something to say to somebody who says nothing', () => {
    expect(answer({ messages: [null, 5, { role: 'user', content: '   ' }] }).completionTokens).toBeGreaterThan(0);
  });

  it('counts millions of words in the time it takes to look at them, and makes no pieces of them', () => {
    const messages = [{ role: 'user', content: 'a '.repeat(5_000_000) }];
    const body = Buffer.from(JSON.stringify({ messages }));
    expect(processorMillis(1_000, () => expect(echoAnswer(body).completionTokens).toBe(5_000_000))).toBeLessThan(1_000);
  });
});

describe('wordPieces', () => {
  it('gives a word each, with the space before it', () => {
    expect([...wordPieces('second  one\n')]).toEqual(['second', '  one']);
  });

  it('loses nothing but the space at the end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'bc', ' ', '\n', '\t', 'é')), (parts) => {
        const text = parts.join('');
        expect([...wordPieces(text)].join('')).toBe(text.trimEnd());
      }),
    );
  });

  it('reads a million spaces in no time', () => {
    const spaces = ' '.repeat(1_000_000);
    expect(processorMillis(1_000, () => expect([...wordPieces(spaces)]).toEqual([]))).toBeLessThan(1_000);
  });
});
