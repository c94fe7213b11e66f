import { aiV1 } from '@sallyport/contracts';
import type { ChatRequest } from '../chat';
import { encodeOpenAiChat } from './openai-chat/encode';

/** The body of a request as one target wants it. */
export function encodeBody(target: aiV1.Attempt, request: ChatRequest): Buffer {
  return encodeOpenAiChat(request, target.model);
}
