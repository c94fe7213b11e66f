export interface ServerSentEvent {
  /** `message` when the server names none. */
  readonly event: string;
  readonly data: string;
}

/** Larger events end the stream: a terminal has no use for them. */
const MAX_EVENT_LENGTH = 4 * 1024 * 1024;

/**
 * Reads a stream of events (WHATWG HTML §9.2.6): lines end with LF, CR or both, an empty line ends an event, a line that
 * begins with a colon is a comment.
 * @throws Error when one event does not end within reason.
 */
export async function* serverSentEvents(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let event = '';
  let data: string[] = [];
  for await (const bytes of stream) {
    rest += decoder.decode(bytes, { stream: true });
    if (rest.length > MAX_EVENT_LENGTH) throw new Error('an event of the stream is too large');
    // A CR at the very end may be half of a CR LF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { event: event || 'message', data: data.join('\n') };
        event = '';
        data = [];
        continue;
      }
      const [field, value] = fieldOf(line);
      if (field === 'event') event = value;
      if (field === 'data') data.push(value);
    }
  }
}

function fieldOf(line: string): readonly [field: string, value: string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}
