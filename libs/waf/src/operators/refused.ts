import { OperatorError, type OperatorKind } from './operator';

function refused(name: string, why: string): OperatorKind {
  return {
    name,
    compile: () => {
      throw new OperatorError(`@${name} is not supported: ${why}`);
    },
  };
}

/** Operators of ModSecurity that a rule set must not silently lose: it is refused with the reason. */
export const refusedOperators: readonly OperatorKind[] = [
  refused('inspectFile', 'rules start no programs'),
  refused('rsub', 'rules do not rewrite bodies'),
  refused('validateHash', 'links carry no hashes here'),
  refused('validateDTD', 'document types are never read'),
  refused('validateSchema', 'schemas of XML are never read'),
  refused('fuzzyHash', 'there is no database of hashes'),
  refused('gsbLookup', 'there is no database of addresses'),
  refused('verifyCPF', 'it checks numbers of one country; use @rx'),
  refused('verifySSN', 'it checks numbers of one country; use @rx'),
  refused('verifySVNR', 'it checks numbers of one country; use @rx'),
];
