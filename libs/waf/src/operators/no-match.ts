import type { OperatorKind } from './operator';

/** `@noMatch`: never. */
export const noMatch: OperatorKind = { name: 'noMatch', compile: () => ({ test: () => false }) };
