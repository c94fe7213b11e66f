import { noUsage, type Usage } from '../../usage';

type Reported = Readonly<Record<string, unknown>>;

/**
 * Makes disjoint counts of a `usage` object of this wire. `prompt_tokens` contains cached, cache-write, audio and image
 * tokens. `completion_tokens` contains audio and reasoning tokens, unless the total shows that a vendor counts
 * reasoning beside them.
 *
 * @param reported the object as parsed, or anything else a vendor may have put there.
 * @returns undefined when it is no usage at all: then the caller estimates.
 */
export function disjointUsage(reported: unknown): Usage | undefined {
  if (!isObject(reported)) return undefined;
  const prompt = count(reported['prompt_tokens']);
  const completion = count(reported['completion_tokens']);
  if (prompt === undefined && completion === undefined) return undefined;
  const usage = noUsage();
  takeInput(usage, prompt ?? 0n, reported);
  takeOutput(usage, prompt ?? 0n, completion ?? 0n, reported);
  return usage;
}

function takeInput(usage: Usage, prompt: bigint, reported: Reported): void {
  const details = object(reported['prompt_tokens_details']);
  const input = new Remainder(prompt);
  usage.cacheRead = input.take(count(details['cached_tokens']) ?? count(reported['prompt_cache_hit_tokens']));
  usage.cacheWrite5m = input.take(count(details['cache_write_tokens']) ?? count(details['cache_creation_tokens']));
  usage.inputAudio = input.take(count(details['audio_tokens']));
  usage.inputImage = input.take(count(details['image_tokens']));
  usage.input = input.left;
}

function takeOutput(usage: Usage, prompt: bigint, completion: bigint, reported: Reported): void {
  const details = object(reported['completion_tokens_details']);
  const reasoning = count(details['reasoning_tokens']) ?? 0n;
  const total = count(reported['total_tokens']);
  const beside = reasoning > 0n && total === prompt + completion + reasoning;
  const output = new Remainder(completion);
  usage.reasoning = beside ? reasoning : output.take(reasoning);
  usage.outputAudio = output.take(count(details['audio_tokens']));
  usage.outputImage = output.take(count(details['image_tokens']));
  usage.output = output.left;
}

/** A total from which parts are taken; a part can never be more than is left, whatever the vendor says. */
class Remainder {
  constructor(public left: bigint) {}

  take(part: bigint | undefined): bigint {
    const taken = part === undefined ? 0n : part < this.left ? part : this.left;
    this.left -= taken;
    return taken;
  }
}

function count(value: unknown): bigint | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? BigInt(value as number) : undefined;
}

function object(value: unknown): Reported {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Reported {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
