import { beginsWith } from './begins-with';
import { contains } from './contains';
import { containsWord } from './contains-word';
import { detectSQLi } from './detect-sqli';
import { detectXSS } from './detect-xss';
import { endsWith } from './ends-with';
import { eq } from './eq';
import { ge } from './ge';
import { gt } from './gt';
import { ipMatch } from './ip-match';
import { ipMatchF, ipMatchFromFile } from './ip-match-from-file';
import { le } from './le';
import { lt } from './lt';
import { geoLookup, rbl } from './never-matching';
import { noMatch } from './no-match';
import type { OperatorKind } from './operator';
import { pm } from './pm';
import { pmf, pmFromFile } from './pm-from-file';
import { refusedOperators } from './refused';
import { rx } from './rx';
import { streq } from './streq';
import { strmatch } from './strmatch';
import { unconditionalMatch } from './unconditional-match';
import { validateByteRange } from './validate-byte-range';
import { validateUrlEncoding } from './validate-url-encoding';
import { validateUtf8Encoding } from './validate-utf8-encoding';
import { verifyCC } from './verify-cc';
import { within } from './within';

/** Every operator, each once. */
export const operators: readonly OperatorKind[] = [
  beginsWith,
  contains,
  containsWord,
  detectSQLi,
  detectXSS,
  endsWith,
  eq,
  ge,
  geoLookup,
  gt,
  ipMatch,
  ipMatchF,
  ipMatchFromFile,
  le,
  lt,
  noMatch,
  pm,
  pmf,
  pmFromFile,
  rbl,
  rx,
  streq,
  strmatch,
  unconditionalMatch,
  validateByteRange,
  validateUrlEncoding,
  validateUtf8Encoding,
  verifyCC,
  within,
  ...refusedOperators,
];

const byName = new Map<string, OperatorKind>();
for (const operator of operators) {
  const key = operator.name.toLowerCase();
  if (byName.has(key)) throw new Error(`two operators are called ${operator.name}`);
  byName.set(key, operator);
}

/** @param name without `@`, in any letter case; undefined where no operator is called so */
export function operatorNamed(name: string): OperatorKind | undefined {
  return byName.get(name.toLowerCase());
}
