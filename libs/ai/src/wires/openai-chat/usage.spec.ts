import fc from 'fast-check';
import { disjointUsage } from './usage';

describe('disjointUsage', () => {
  it('takes cached, written, audio and image tokens out of the prompt, and reasoning out of the completion', () => {
    expect(
      disjointUsage({
        prompt_tokens: 100,
        completion_tokens: 50,
        total_tokens: 150,
        prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 5, audio_tokens: 3, image_tokens: 2 },
        completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 1, rejected_prediction_tokens: 4 },
      }),
    ).toMatchObject({
      input: 50n,
      cacheRead: 40n,
      cacheWrite5m: 5n,
      inputAudio: 3n,
      inputImage: 2n,
      output: 19n,
      reasoning: 30n,
      outputAudio: 1n,
    });
  });

  it('counts reasoning beside the completion where the total says so', () => {
    const details = { reasoning_tokens: 30 };
    const usage = disjointUsage({
      prompt_tokens: 10,
      completion_tokens: 20,
      total_tokens: 60,
      completion_tokens_details: details,
    });
    expect(usage).toMatchObject({ output: 20n, reasoning: 30n });
  });

  it('takes what the total has more than prompt and completion for reasoning, as vendors bill it without a detail', () => {
    const usage = disjointUsage({ prompt_tokens: 20, completion_tokens: 198, total_tokens: 623 });
    expect(usage).toMatchObject({ input: 20n, output: 198n, reasoning: 405n });
    const details = { reasoning_tokens: 410 };
    const detailed = {
      prompt_tokens: 20,
      completion_tokens: 198,
      total_tokens: 623,
      completion_tokens_details: details,
    };
    expect(disjointUsage(detailed)).toMatchObject({ input: 20n, output: 193n, reasoning: 410n });
  });

  it('does not bill by half a usage: one count that cannot be read makes the other worth nothing', () => {
    for (const unreadable of ['500', -5, 1.5, 1e300, 100_000_001, Number.MAX_SAFE_INTEGER, true, {}, []]) {
      expect(disjointUsage({ prompt_tokens: 10, completion_tokens: unreadable })).toBeUndefined();
      expect(disjointUsage({ prompt_tokens: unreadable, completion_tokens: 10 })).toBeUndefined();
    }
    expect(disjointUsage({ prompt_tokens: 10, completion_tokens: null })).toMatchObject({ input: 10n, output: 0n });
    expect(disjointUsage({ prompt_tokens: 1e8, completion_tokens: 1 })).toMatchObject({
      input: 100_000_000n,
      output: 1n,
    });
  });

  it('reads the cache hits of vendors that put them outside the details', () => {
    expect(disjointUsage({ prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 8 })).toMatchObject({
      input: 2n,
      cacheRead: 8n,
    });
  });

  it.each([null, undefined, 'x', [], {}, { prompt_tokens: -1 }, { prompt_tokens: '5' }, { prompt_tokens: 1.5 }])(
    'makes nothing of %j',
    (reported) => expect(disjointUsage(reported)).toBeUndefined(),
  );

  it('adds up to the reported total and never goes below zero, whatever the details claim', () => {
    const count = fc.nat({ max: 1_000_000 });
    const details = fc.record(
      {
        cached_tokens: count,
        cache_write_tokens: count,
        audio_tokens: count,
        image_tokens: count,
        reasoning_tokens: count,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(count, count, details, (prompt, completion, claimed) => {
        const usage = disjointUsage({
          prompt_tokens: prompt,
          completion_tokens: completion,
          total_tokens: prompt + completion,
          prompt_tokens_details: claimed,
          completion_tokens_details: claimed,
        })!;
        const counts = Object.values(usage);
        expect(counts.every((value) => value >= 0n)).toBe(true);
        expect(counts.reduce((sum, value) => sum + value)).toBe(BigInt(prompt + completion));
      }),
    );
  });
});
