import type { RuleFile } from '../seclang/rule-source';
import { bots } from './texts/bots';
import { commands } from './texts/commands';
import { evaluation } from './texts/evaluation';
import { parsing } from './texts/parsing';
import { paths } from './texts/paths';
import { prompts } from './texts/prompts';
import { protocol } from './texts/protocol';
import { setup } from './texts/setup';
import { sqli } from './texts/sqli';
import { ssrf } from './texts/ssrf';
import { uploads } from './texts/uploads';
import { xss } from './texts/xss';
import { xxe } from './texts/xxe';

const alone: readonly RuleFile[] = [
  setup,
  parsing,
  protocol,
  sqli,
  xss,
  paths,
  commands,
  ssrf,
  xxe,
  uploads,
  bots,
  prompts,
  evaluation,
];

const besideCrs: readonly RuleFile[] = [parsing, xxe, uploads, prompts];

/**
 * The rules of our own in SecLang, ids 77xxxxx, and 1001xxx for prompts.
 * @param place `alone`: a whole rule set, which protects a fresh start. `crs`: only what the OWASP CRS does not cover, to be
 *   read before it; all of it is phase 2, since the CRS clears its scores in phase 1
 */
export function builtInRules(place: 'alone' | 'crs'): readonly RuleFile[] {
  return place === 'alone' ? alone : besideCrs;
}
