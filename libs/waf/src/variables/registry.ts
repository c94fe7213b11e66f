import { argumentVariables } from './arguments';
import { bodyVariables } from './body';
import { headerVariables } from './headers';
import { matchedVariables } from './matched';
import { promptVariables } from './prompt';
import { requestLineVariables } from './request-line';
import { responseVariables } from './response';
import { signalVariables } from './signals';
import { storeVariables } from './stores';
import { surroundingVariables } from './surroundings';
import type { Variable } from './variable';
import { xmlVariables } from './xml';

/** Every variable there is; its number in this list is how the engine refers to it. */
export const variables: readonly Variable[] = [
  ...requestLineVariables,
  ...headerVariables,
  ...argumentVariables,
  ...bodyVariables,
  ...xmlVariables,
  ...promptVariables,
  ...responseVariables,
  ...matchedVariables,
  ...storeVariables,
  ...surroundingVariables,
  ...signalVariables,
];

const numbers = new Map<string, number>();
for (const [number, { name }] of variables.entries()) {
  if (numbers.has(name)) throw new Error(`there are two variables of the name ${name}`);
  numbers.set(name, number);
}

/** @param name in upper case; the two paths of XML with their path. */
export function variableNumber(name: string): number | undefined {
  return numbers.get(name);
}
