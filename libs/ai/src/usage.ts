import { commonV1 } from '@sallyport/contracts';

/** Disjoint counts: a token stands in one of them only, so that counts can be priced and added. */
export type Usage = commonV1.Usage;

export function noUsage(): Usage {
  return commonV1.Usage.create();
}

/** The sum, count by count. */
export function addUsage(one: Usage, other: Usage): Usage {
  const sum = noUsage();
  for (const unit of Object.keys(sum) as (keyof Usage)[]) sum[unit] = one[unit] + other[unit];
  return sum;
}

/** Everything that was read, from whatever it came. */
export function inputTokens(usage: Usage): bigint {
  const { input, cacheRead, cacheWrite5m, cacheWrite1h, inputAudio, inputImage } = usage;
  return input + cacheRead + cacheWrite5m + cacheWrite1h + inputAudio + inputImage;
}

/** Everything that was written, for the caller and before it. */
export function outputTokens({ output, reasoning, outputAudio, outputImage }: Usage): bigint {
  return output + reasoning + outputAudio + outputImage;
}
