import { idsOf } from '../../actions/ctl';
import type { Bytes } from '../../bytes';
import type { RuleSelector } from '../../rule-set';
import type { DirectiveText } from '../lexer';
import { parseActions, parseTargets, SyntaxProblem } from '../parser';
import type { DirectiveReader, DirectiveTable, ScriptDraft } from '../script';
import { onlyArgument, twoArguments } from './arity';

const byTag = (tag: Bytes): RuleSelector => ({ by: 'tag', tag });
const byMessage = (message: Bytes): RuleSelector => ({ by: 'message', message });

/** `942100 942200-942299`, also in one pair of quotes or with commas between. */
function idsIn({ arguments: given }: Pick<DirectiveText, 'arguments'>): RuleSelector[] {
  const words = given.flatMap((each) => each.split(/[\s,]+/)).filter((word) => word !== '');
  if (words.length === 0) throw new SyntaxProblem('it names no id');
  return words.map(idsOf);
}

const updateTargets =
  (selectorsOf: (text: Bytes) => RuleSelector[]): DirectiveReader =>
  (directive, draft) => {
    const [selected, targets] = twoArguments(directive);
    const parsed = parseTargets(targets);
    for (const selector of selectorsOf(selected)) {
      draft.amend({ directive, selector, change: 'targets', targets: parsed });
    }
  };

const remove =
  (selectorOf: (text: Bytes) => RuleSelector): DirectiveReader =>
  (directive: DirectiveText, draft: ScriptDraft) =>
    draft.amend({ directive, selector: selectorOf(onlyArgument(directive)), change: 'remove' });

/** Changes to rules that stand elsewhere; they hold wherever in the files they are written. */
export const amendmentDirectives: DirectiveTable = {
  SecRuleRemoveById: (directive, draft) => {
    for (const selector of idsIn(directive)) draft.amend({ directive, selector, change: 'remove' });
  },
  SecRuleRemoveByTag: remove(byTag),
  SecRuleRemoveByMsg: remove(byMessage),
  SecRuleUpdateTargetById: updateTargets((ids) => idsIn({ arguments: [ids] })),
  SecRuleUpdateTargetByTag: updateTargets((tag) => [byTag(tag)]),
  SecRuleUpdateTargetByMsg: updateTargets((message) => [byMessage(message)]),
  SecRuleUpdateActionById: (directive, draft) => {
    const [ids, text] = twoArguments(directive);
    const actions = parseActions(text);
    for (const selector of idsIn({ arguments: [ids] })) {
      draft.amend({ directive, selector, change: 'actions', actions });
    }
  },
};
