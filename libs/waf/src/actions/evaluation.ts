import { SyntaxProblem } from '../seclang/parser';
import { transformationNamed } from '../transformations/registry';
import type { ActionKind } from './draft';

/** How values are looked at. */
export const evaluationActions: readonly ActionKind[] = [
  {
    name: 't',
    read: (draft, value) => {
      const name = value.trim();
      if (name.toLowerCase() === 'none') {
        draft.clearsTransformations = true;
        draft.transformations = [];
        return;
      }
      const transformation = transformationNamed(name);
      if (!transformation) throw new SyntaxProblem(`there is no transformation “${name}”`);
      draft.transformations.push(transformation);
    },
  },
  { name: 'capture', read: (draft) => (draft.capture = true) },
  { name: 'multiMatch', read: (draft) => (draft.multiMatch = true) },
  { name: 'chain', read: (draft) => (draft.chained = true) },
  // Namespaces matter to XPath only, of which no rule may use more than text and attributes.
  { name: 'xmlns', read: () => undefined },
];
