import { parseActions, parseOperator, parseTargets, SyntaxProblem } from '../parser';
import type { DirectiveTable } from '../script';
import { onlyArgument } from './arity';

/** What rules are made of. */
export const ruleDirectives: DirectiveTable = {
  SecRule: ({ place, name, arguments: given }, draft) => {
    const [targets, operator, actions = ''] = given;
    if (targets === undefined || operator === undefined || given.length > 3) {
      throw new SyntaxProblem(`it takes variables, an operator and actions, not ${given.length} arguments`);
    }
    draft.addRule({
      place,
      directive: name,
      targets: parseTargets(targets),
      operator: parseOperator(operator),
      actions: parseActions(actions),
    });
  },
  SecAction: (directive, draft) => {
    const actions = parseActions(onlyArgument(directive));
    draft.addRule({ place: directive.place, directive: directive.name, targets: [], operator: undefined, actions });
  },
  SecMarker: (directive, draft) => draft.addMarker(onlyArgument(directive)),
  SecDefaultAction: (directive, draft) =>
    draft.setDefaults({ directive, actions: parseActions(onlyArgument(directive)) }),
  SecComponentSignature: (directive, draft) => {
    draft.settings.componentSignatures.push(onlyArgument(directive));
  },
};
