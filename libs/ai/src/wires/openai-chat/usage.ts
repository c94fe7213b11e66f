import { noUsage, type Usage } from '../../usage';

type Reported = Readonly<Record<string, unknown>>;

/** No model reads or writes this many in one call; whoever says so is not to be billed by. */
const MOST_TOKENS = 100_000_000;

/**
 * Makes disjoint counts of a `usage` object of this wire. `prompt_tokens` contains cached, cache-write, audio and image
 * tokens. `completion_tokens` contains audio and reasoning tokens, unless the total shows that a vendor counts
 * reasoning beside them: what the total has more than the two is reasoning, whether or not the details say so, and is
 * billed by the vendor as output.
 *
 * @param reported the object as parsed, or anything else a vendor may have put there.
 * @returns undefined when it is no usage at all, or one of its two counts cannot be believed: then the caller estimates.
 */
export function disjointUsage(reported: unknown): Usage | undefined {
  if (!isObject(reported)) return undefined;
  if (isUnreadable(reported['prompt_tokens']) || isUnreadable(reported['completion_tokens'])) return undefined;
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
  const more = (count(reported['total_tokens']) ?? 0n) - prompt - completion;
  const beside = more > 0n ? more : 0n;
  const output = new Remainder(completion);
  usage.reasoning = beside + output.take(reasoning > beside ? reasoning - beside : 0n);
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
  const isCount = Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_TOKENS;
  return isCount ? BigInt(value as number) : undefined;
}

/** Given, and yet no count: `"500"`, `-1`, `1e300`. */
function isUnreadable(value: unknown): boolean {
  return value !== undefined && value !== null && count(value) === undefined;
}

function object(value: unknown): Reported {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Reported {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
