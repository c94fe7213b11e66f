import type { Disruption } from '../rule-set';
import { SyntaxProblem } from '../seclang/parser';
import type { ActionKind } from './draft';
import { readNumber } from './metadata';

const allowances: Readonly<Record<string, Disruption>> = {
  '': 'allow',
  phase: 'allow-phase',
  request: 'allow-request',
};

function disruptive(name: Disruption): ActionKind {
  return { name, read: (draft) => (draft.disruption = name) };
}

/** What makes of a match a decision. */
export const disruptiveActions: readonly ActionKind[] = [
  disruptive('pass'),
  disruptive('block'),
  disruptive('deny'),
  disruptive('drop'),
  {
    name: 'allow',
    read: (draft, value) => {
      const allowance = allowances[value.toLowerCase()];
      if (!allowance) throw new SyntaxProblem(`allow knows “phase” and “request”, not “${value}”`);
      draft.disruption = allowance;
    },
  },
  {
    name: 'status',
    read: (draft, value) => {
      const status = readNumber('status', value);
      if (status < 100 || status > 599) throw new SyntaxProblem(`there is no status ${value}`);
      draft.status = status;
    },
  },
];
