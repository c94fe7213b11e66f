import type { Command } from '../command-line';
import { apply } from './apply';
import { chat } from './chat';
import { doctor } from './doctor';
import { keyCreate, keyList, keyRevoke } from './key';
import { tail } from './tail';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [doctor, apply, keyCreate, keyList, keyRevoke, tail, chat];
