import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '@sallyport/testkit';
import type { Bytes } from '../bytes';
import { directivesOf } from '../seclang/lexer';
import { parseOperator } from '../seclang/parser';

/** The different patterns of `@rx` in the Core Rule Set beside the clone; none, and loudly, where it is absent. */
export function ruleExpressions(): readonly Bytes[] {
  const folder = sharedData('crs', '4.28.0', 'rules');
  if (!folder) {
    console.warn('CRS DATA MISSING: the expressions of the Core Rule Set were NOT RUN');
    return [];
  }
  const expressions = readdirSync(folder)
    .filter((name) => name.endsWith('.conf'))
    .flatMap((name) => [...directivesOf({ name, text: readFileSync(join(folder, name), 'latin1') })])
    .filter(({ name }) => name.toLowerCase() === 'secrule')
    .map((directive) => parseOperator(directive.arguments[1]!))
    .filter(({ name }) => name === 'rx')
    .map(({ argument }) => argument);
  return [...new Set(expressions)];
}
