import type { Bytes } from '../bytes';
import type { RuleSelector } from '../rule-set';
import { SyntaxProblem } from '../seclang/parser';
import type { ActionContext, ActionKind } from './draft';
import type { Effect, EngineMode } from './effect';
import { readNumber } from './metadata';

type Option = (value: Bytes, context: ActionContext) => Omit<Effect, 'name'>;

/** Options that say what the audit of ModSecurity keeps: ours keeps every decision. */
const withoutMeaning: Option = () => ({ run: () => undefined });

const engineModes: Readonly<Record<string, EngineMode>> = { on: 'on', off: 'off', detectiononly: 'detection-only' };

export function engineModeOf(value: Bytes): EngineMode {
  const mode = engineModes[value.toLowerCase()];
  if (!mode) throw new SyntaxProblem(`it is On, Off or DetectionOnly, not “${value}”`);
  return mode;
}

/** Reads `On` and `Off`. */
export function switchOf(value: Bytes): boolean {
  if (!/^o(?:n|ff)$/i.test(value)) throw new SyntaxProblem(`it is On or Off, not “${value}”`);
  return value.toLowerCase() === 'on';
}

/** Reads `942100` or `942100-942199`. */
export function idsOf(text: Bytes): RuleSelector {
  const [, from, to] = /^\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?$/.exec(text) ?? [];
  if (from === undefined) throw new SyntaxProblem(`“${text}” is neither an id nor a range of ids`);
  return { by: 'id', from: Number(from), to: Number(to ?? from) };
}

const tagged = (tag: Bytes): RuleSelector => ({ by: 'tag', tag });
const saying = (message: Bytes): RuleSelector => ({ by: 'message', message });

function removeRules(selectorOf: (text: Bytes) => RuleSelector): Option {
  return (value) => {
    const selector = selectorOf(value);
    return { run: (controls) => controls.removeRules(selector), removes: selector };
  };
}

function removeTarget(selectorOf: (text: Bytes) => RuleSelector): Option {
  return (value, context) => {
    const semicolon = value.indexOf(';');
    if (semicolon < 0) throw new SyntaxProblem(`“${value}” names no variable after a semicolon`);
    const selector = selectorOf(value.slice(0, semicolon).trim());
    const filter = context.filter(value.slice(semicolon + 1).trim());
    return { run: (controls) => controls.removeTarget(selector, filter) };
  };
}

function access(of: 'request' | 'response'): Option {
  return (value) => {
    const on = switchOf(value);
    return { run: (controls) => controls.setBodyAccess(of, on) };
  };
}

function limit(of: 'request' | 'response'): Option {
  return (value) => {
    const bytes = readNumber('limit', value);
    return { run: (controls) => controls.setBodyLimit(of, bytes) };
  };
}

const options: Readonly<Record<string, Option>> = {
  auditengine: withoutMeaning,
  auditlogparts: withoutMeaning,
  debugloglevel: withoutMeaning,
  // REQUEST_BODY is there whatever the processor.
  forcerequestbodyvariable: withoutMeaning,
  requestbodyaccess: access('request'),
  responsebodyaccess: access('response'),
  requestbodylimit: limit('request'),
  responsebodylimit: limit('response'),
  requestbodyprocessor: (value) => ({ run: (controls) => controls.setBodyProcessor(value.toUpperCase()) }),
  ruleengine: (value) => {
    const mode = engineModeOf(value);
    return { run: (controls) => controls.setEngine(mode) };
  },
  ruleremovebyid: removeRules(idsOf),
  ruleremovebytag: removeRules(tagged),
  ruleremovebymsg: removeRules(saying),
  ruleremovetargetbyid: removeTarget(idsOf),
  ruleremovetargetbytag: removeTarget(tagged),
  ruleremovetargetbymsg: removeTarget(saying),
};

/** `ctl:option=value`: settings of this one transaction. */
export const ctlActions: readonly ActionKind[] = [
  {
    name: 'ctl',
    read: (draft, text, context) => {
      const [, name = '', value = ''] = /^\s*([A-Za-z]+)\s*=\s*([^]*?)\s*$/.exec(text) ?? [];
      const option = options[name.toLowerCase()];
      if (!option) throw new SyntaxProblem(`there is no ctl option “${text.split('=', 1)[0]}”`);
      draft.effects.push({ name: `ctl:${name}`, ...option(value, context) });
    },
  },
];
