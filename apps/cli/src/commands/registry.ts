import type { Command } from '../command-line';
import { apply } from './apply';
import { chat } from './chat';
import { crsActivate, crsCompare, crsInstall, crsList, crsRemove, crsRollback, crsVerify } from './crs';
import { doctor } from './doctor';
import { keyCreate, keyList, keyRevoke } from './key';
import { tail } from './tail';
import { wafExplain, wafKill, wafKills, wafPreview, wafRevive } from './waf';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  doctor,
  apply,
  keyCreate,
  keyList,
  keyRevoke,
  tail,
  chat,
  crsInstall,
  crsList,
  crsActivate,
  crsCompare,
  crsRollback,
  crsVerify,
  crsRemove,
  wafExplain,
  wafPreview,
  wafKill,
  wafKills,
  wafRevive,
];
