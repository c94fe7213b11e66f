import { ctlActions } from './ctl';
import { disruptiveActions } from './disruptive';
import type { ActionKind } from './draft';
import { evaluationActions } from './evaluation';
import { flowActions } from './flow';
import { loggingActions } from './logging';
import { metadataActions } from './metadata';
import { storeActions } from './stores';

/** Actions of ModSecurity that are not run here, and why. */
const refused: Readonly<Record<string, string>> = {
  exec: 'rules start no programs',
  proxy: 'where a request goes is said by its route',
  redirect: 'a refusal is rendered at the edge; rules redirect nobody',
  pause: 'a rule must not hold requests back',
  setenv: 'rules write no environment',
  append: 'rules do not change answers',
  prepend: 'rules do not change answers',
};

const kinds: readonly ActionKind[] = [
  ...metadataActions,
  ...disruptiveActions,
  ...loggingActions,
  ...evaluationActions,
  ...flowActions,
  ...storeActions,
  ...ctlActions,
];

const byName = new Map<string, ActionKind>();
for (const kind of kinds) {
  const key = kind.name.toLowerCase();
  if (byName.has(key)) throw new Error(`there are two actions of the name ${kind.name}`);
  byName.set(key, kind);
}

/** @param name in any letter case */
export function actionNamed(name: string): ActionKind | undefined {
  return byName.get(name.toLowerCase());
}

/** @returns why an action that ModSecurity knows is refused here. */
export function refusalOf(name: string): string | undefined {
  return Object.hasOwn(refused, name.toLowerCase()) ? refused[name.toLowerCase()] : undefined;
}
