import type { ChatRequest } from '../../chat';
import { setMember, splice } from '../../body/splice';

/**
 * The body for one target of this wire: the target's name of the model, and usage asked for where it streams. Every
 * other byte goes out as it came, members unknown to us included.
 */
export function encodeOpenAiChat(request: ChatRequest, model: string): Buffer {
  const edits = [setMember(request.scanned, 'model', JSON.stringify(model))];
  if (request.stream && !request.includeUsage) edits.push(askForUsage(request));
  return splice(request.body, edits);
}

function askForUsage(request: ChatRequest) {
  const { streamOptions } = request;
  if (streamOptions) return setMember(streamOptions, 'include_usage', 'true');
  return setMember(request.scanned, 'stream_options', '{"include_usage":true}');
}
