import type { Bytes } from '../bytes';
import { SyntaxProblem } from '../seclang/parser';
import { openedNames } from '../variables/stores';
import type { ActionContext, ActionKind } from './draft';
import type { SetVariable } from './effect';

const writable: readonly string[] = ['TX', ...openedNames];

const ASSIGNMENT = /^(!?)\s*([A-Za-z]+)[.:]([^=]*?)\s*(?:=([^]*))?$/;

/** Parses `tx.score=+%{tx.critical}`, `!tx.flag`, `tx.flag`. */
function assignmentOf(text: Bytes, context: ActionContext): SetVariable {
  const [, deletes, store = '', name = '', value] = ASSIGNMENT.exec(text.trim()) ?? [];
  if (name === '') throw new SyntaxProblem(`setvar:${text} names no variable`);
  const collection = store.toUpperCase();
  if (!writable.includes(collection)) throw new SyntaxProblem(`setvar cannot write ${store}`);
  const target = { store: collection, name: context.macro(name) };
  if (deletes) return { ...target, operation: 'delete', value: context.macro('') };
  // Without a value it is a flag that goes up.
  if (value === undefined) return { ...target, operation: 'set', value: context.macro('1') };
  if (value.startsWith('+')) return { ...target, operation: 'add', value: context.macro(value.slice(1)) };
  if (value.startsWith('-')) return { ...target, operation: 'subtract', value: context.macro(value.slice(1)) };
  return { ...target, operation: 'set', value: context.macro(value) };
}

const OPENING = /^([A-Za-z]+)=([^]+)$/;

/** Writing variables. */
export const storeActions: readonly ActionKind[] = [
  { name: 'setvar', read: (draft, value, context) => draft.assignments.push(assignmentOf(value, context)) },
  {
    name: 'initcol',
    read: (draft, value, context) => {
      const [, name = '', key = ''] = OPENING.exec(value) ?? [];
      const store = name.toUpperCase();
      if (!(openedNames as readonly string[]).includes(store))
        throw new SyntaxProblem(`initcol cannot open “${value}”`);
      const macro = context.macro(key);
      draft.effects.push({ name: 'initcol', run: (controls) => controls.openStore(store, macro) });
    },
  },
  // A collection lives as long as its transaction; nothing in it expires before.
  ...['expirevar', 'deprecatevar', 'setuid', 'setsid', 'setrsc'].map((name) => ({ name, read: () => undefined })),
];
