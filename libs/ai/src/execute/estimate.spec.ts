import { randomBytes } from 'node:crypto';
import { estimatedUsage, tokensOf } from './estimate';

describe('estimatedUsage', () => {
  it('counts a token for four bytes of the request', () => {
    expect(estimatedUsage(Buffer.from('x y '.repeat(1_000)), 7)).toMatchObject({ input: 1_000n, output: 7n });
    // Without a space between words.
    expect(estimatedUsage(Buffer.from('请求'.repeat(2_000)), 0)).toMatchObject({ input: 3_000n });
  });

  it('does not count the bytes of images and sounds: one is about a thousand tokens, whatever it weighs', () => {
    const image = randomBytes(3_000_000).toString('base64');
    const escaped = image.replaceAll('/', '\\/');
    const content = `{"url":"data:image/png;base64,${image}"},{"data":"${escaped}"}`;
    expect(estimatedUsage(Buffer.from(content), 0).input).toBe(2_011n);
  });
});

describe('tokensOf', () => {
  it.each([
    [0, 1],
    [-5, 1],
    [4, 1],
    [32, 1],
    [33, 9],
    [4_000, 1_000],
  ])('%i bytes of a stream are %i tokens', (bytes, tokens) => expect(tokensOf(bytes)).toBe(tokens));
});
