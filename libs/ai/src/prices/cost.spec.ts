import fc from 'fast-check';
import { formatUsd, parseUsd } from '@sallyport/contracts';
import { noUsage, type Usage } from '../usage';
import { costOf } from './cost';
import { compilePrice, FREE, UNPRICED } from './row';

const currency = 'USD';
const used = (counts: Partial<Usage>): Usage => ({ ...noUsage(), ...counts });

describe('costOf', () => {
  const price = compilePrice({
    inputPerMillion: '0.15',
    outputPerMillion: '0.6',
    cacheReadPerMillion: '0.075',
    currency,
  });

  it('adds up what each kind of token costs', () => {
    const cost = costOf(used({ input: 1_000n, cacheRead: 200n, output: 10n, reasoning: 5n }), price);
    expect(formatUsd(cost!)).toBe('0.000174');
  });

  it('prices cached input as input where the price list has no line for it', () => {
    const plain = compilePrice({ inputPerMillion: '1', outputPerMillion: '2', currency });
    expect(costOf(used({ input: 1n, cacheRead: 1n }), plain)).toBe(parseUsd('0.000002'));
  });

  it('rounds half a pico-dollar up, once', () => {
    const half = compilePrice({ inputPerMillion: '0.0000005', outputPerMillion: '0.0000005', currency });
    expect(costOf(used({ input: 1n }), half)).toBe(1n);
    // Two halves are one: rounding each would make two.
    expect(costOf(used({ input: 1n, output: 1n }), half)).toBe(1n);
    expect(costOf(used({ input: 1n }), compilePrice({ ...halfOf('0.000000499999'), currency }))).toBe(0n);
  });

  it('knows the difference between free and unpriced', () => {
    expect(costOf(used({ input: 5n }), FREE)).toBe(0n);
    expect(costOf(used({ input: 5n }), UNPRICED)).toBeUndefined();
  });

  it('is what arithmetic on whole numbers says, for every usage and price', () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 9n });
    fc.assert(
      fc.property(amount, amount, amount, amount, (input, output, inputPico, outputPico) => {
        const compiled = compilePrice({
          inputPerMillion: formatUsd(inputPico),
          outputPerMillion: formatUsd(outputPico),
          currency,
        });
        const exact = input * inputPico + output * outputPico;
        expect(costOf(used({ input, output }), compiled)).toBe((exact + 500_000n) / 1_000_000n);
      }),
    );
  });
});

function halfOf(perMillion: string) {
  return { inputPerMillion: perMillion, outputPerMillion: perMillion };
}
