/** Usage as this wire reports it. */
export interface OpenAiUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details?: Readonly<Record<string, number>>;
  readonly completion_tokens_details?: Readonly<Record<string, number>>;
}

/** How a stream says what was used: on a chunk of its own, on the last chunk with choices, on every chunk, or not. */
export type UsagePlace = 'own-chunk' | 'last-chunk' | 'every-chunk' | 'none';

interface Answer {
  readonly id: string;
  readonly model: string;
  readonly words: readonly string[];
  readonly usage: OpenAiUsage;
}

export function wholeAnswer({ id, model, words, usage }: Answer, reportUsage: boolean): string {
  const message = { role: 'assistant', content: words.join('') };
  return JSON.stringify({
    id,
    object: 'chat.completion',
    created: 1_700_000_000,
    model,
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    ...(reportUsage && { usage }),
    system_fingerprint: 'fp_vendor',
  });
}

/** The events of a stream, the end marker left out. The first has a role and no content. */
export function streamEvents({ id, model, words, usage }: Answer, place: UsagePlace): string[] {
  const head = { id, object: 'chat.completion.chunk', created: 1_700_000_000, model };
  const chunk = (delta: object, finishReason: string | null, last: boolean) => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: finishReason }],
    ...((place === 'every-chunk' || (place === 'last-chunk' && last)) && { usage }),
  });
  const chunks: object[] = [
    chunk({ role: 'assistant', content: '' }, null, false),
    ...words.map((word) => chunk({ content: word }, null, false)),
    chunk({}, 'stop', true),
    ...(place === 'own-chunk' ? [{ ...head, choices: [], usage }] : []),
  ];
  return chunks.map((value) => JSON.stringify(value));
}
