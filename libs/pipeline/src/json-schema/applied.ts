import type { Place, SchemaCompiler } from './schema-compiler';
import { isObject, type Members } from './values';

/** A schema that is an object, with the place where it stands. */
export interface SchemaPlace extends Place {
  readonly node: Members;
}

/**
 * The schemas that speak of the very value that one at a place speaks of: itself, what it refers to, and its branches.
 * @param branches the keywords whose schemas count: `allOf` for what holds in any case, `anyOf` for what may hold
 * @throws SchemaError when a reference leads nowhere
 */
export function appliedAt(document: SchemaCompiler, place: Place, branches: readonly string[]): readonly SchemaPlace[] {
  const met = new Set<object>();
  const applied: SchemaPlace[] = [];
  const visit = ({ node, pointer }: Place): void => {
    if (!isObject(node) || met.has(node)) return;
    met.add(node);
    const refers = node['$ref'] !== undefined;
    if (refers) visit(document.resolve(node, node['$ref'], `${pointer}/$ref`));
    // In the older dialects whatever stands beside a reference is ignored.
    if (refers && document.dialect !== '2020-12') return;
    applied.push({ node, pointer });
    for (const keyword of branches) {
      const list = node[keyword];
      if (Array.isArray(list))
        list.forEach((branch: unknown, at) => visit({ node: branch, pointer: `${pointer}/${keyword}/${at}` }));
    }
  };
  visit(place);
  return applied;
}

/** Whether an object's schema says of a member, wherever it describes it, that only answers have it (OAS 3.0.3 §4.7.24.2). */
export function isReadOnly(document: SchemaCompiler, object: Place, name: string): boolean {
  return appliedAt(document, object, ['allOf']).some(({ node, pointer }) => {
    const members = node['properties'];
    if (!isObject(members) || !Object.hasOwn(members, name)) return false;
    const member = { node: members[name], pointer: `${pointer}/properties` };
    return appliedAt(document, member, ['allOf']).some((schema) => schema.node['readOnly'] === true);
  });
}
