import { aiV1 } from '@sallyport/contracts';
import type { UpstreamPools } from '@sallyport/proxy';
import type { Wires } from '../execute/chat-call';
import { openEcho, type EchoPorts } from './echo/echo';
import { openOpenAiChat } from './openai-chat/call';

export interface WirePorts extends EchoPorts {
  /** Connections to providers; they belong to whoever made the pools. */
  readonly pools: UpstreamPools;
}

/** Every wire this gateway speaks, one line each. */
export function openWires(ports: WirePorts): Wires {
  return new Map([
    [aiV1.Wire.WIRE_OPENAI_CHAT, openOpenAiChat(ports.pools)],
    [aiV1.Wire.WIRE_ECHO, openEcho(ports)],
  ]);
}
