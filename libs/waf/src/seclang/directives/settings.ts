import { engineModeOf, switchOf } from '../../actions/ctl';
import { readNumber } from '../../actions/metadata';
import { SyntaxProblem } from '../parser';
import type { DirectiveReader, DirectiveTable } from '../script';
import type { RuleSettings } from '../settings';
import { onlyArgument } from './arity';

type Member<Type> = {
  [Name in keyof RuleSettings]: Type extends RuleSettings[Name] ? Name : never;
}[keyof RuleSettings];

const bytes =
  (member: Exclude<Member<number>, undefined>): DirectiveReader =>
  (directive, { settings }) => {
    settings[member] = readNumber('limit', onlyArgument(directive));
  };

const access =
  (member: Exclude<Member<boolean>, undefined>): DirectiveReader =>
  (directive, { settings }) => {
    settings[member] = switchOf(onlyArgument(directive));
  };

const limitActions: Readonly<Record<string, 'reject' | 'process-partial'>> = {
  reject: 'reject',
  processpartial: 'process-partial',
};

const limitAction =
  (member: 'requestBodyLimitAction' | 'responseBodyLimitAction'): DirectiveReader =>
  (directive, { settings }) => {
    const action = limitActions[onlyArgument(directive).toLowerCase()];
    if (!action) throw new SyntaxProblem('it is Reject or ProcessPartial');
    settings[member] = action;
  };

/** How the engine is to run. */
export const settingDirectives: DirectiveTable = {
  SecRuleEngine: (directive, { settings }) => {
    settings.engine = engineModeOf(onlyArgument(directive));
  },
  SecRequestBodyAccess: access('requestBodyAccess'),
  SecResponseBodyAccess: access('responseBodyAccess'),
  SecRequestBodyLimit: bytes('requestBodyLimit'),
  SecRequestBodyNoFilesLimit: bytes('requestBodyNoFilesLimit'),
  SecRequestBodyJsonDepthLimit: bytes('jsonDepthLimit'),
  SecArgumentsLimit: bytes('argumentsLimit'),
  SecResponseBodyLimit: bytes('responseBodyLimit'),
  SecRequestBodyLimitAction: limitAction('requestBodyLimitAction'),
  SecResponseBodyLimitAction: limitAction('responseBodyLimitAction'),
  SecResponseBodyMimeType: ({ arguments: types }, { settings }) => {
    const named = types.flatMap((text) => text.split(/\s+/)).filter((type) => type !== '');
    settings.responseMediaTypes = [
      ...new Set([...settings.responseMediaTypes, ...named.map((type) => type.toLowerCase())]),
    ];
  },
  SecResponseBodyMimeTypesClear: (_, { settings }) => {
    settings.responseMediaTypes = [];
  },
};
