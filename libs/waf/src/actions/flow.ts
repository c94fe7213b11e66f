import { SyntaxProblem } from '../seclang/parser';
import type { ActionKind } from './draft';
import { readNumber } from './metadata';

const nothing = () => undefined;

/** Passing over rules that follow. */
export const flowActions: readonly ActionKind[] = [
  {
    name: 'skipAfter',
    read: (draft, value) => {
      if (value === '') throw new SyntaxProblem('skipAfter names no marker');
      draft.effects.push({ name: 'skipAfter', run: nothing, skipAfter: value });
    },
  },
  {
    name: 'skip',
    read: (draft, value) => {
      draft.effects.push({ name: 'skip', run: nothing, skip: readNumber('skip', value) });
    },
  },
];
