import type { DirectiveReader, DirectiveTable } from '../script';
import { amendmentDirectives } from './amendments';
import { otherDirectives } from './others';
import { ruleDirectives } from './rules';
import { settingDirectives } from './settings';

const tables: readonly DirectiveTable[] = [ruleDirectives, amendmentDirectives, settingDirectives, otherDirectives];

const byName = new Map<string, DirectiveReader>();
for (const [name, reader] of tables.flatMap((table) => Object.entries(table))) {
  const key = name.toLowerCase();
  if (byName.has(key)) throw new Error(`there are two directives of the name ${name}`);
  byName.set(key, reader);
}

/** @param name in any letter case */
export function directiveNamed(name: string): DirectiveReader | undefined {
  return byName.get(name.toLowerCase());
}
