import type { Entries } from './entries';
import type { Facts } from './facts';

/**
 * How long the values of a variable stay as they are: from the head of the request on, from its body, from the response,
 * or only while nothing runs (`moment`).
 */
export type Lifetime = 'request' | 'body' | 'response' | 'response-body' | 'moment';

/** A variable that rules may name. */
export interface Variable {
  /** Upper case. */
  readonly name: string;
  /** Whether it has members, which a selector picks by name. */
  readonly hasMembers: boolean;
  readonly lifetime: Lifetime;
  read(facts: Facts): Entries;
}

type Read = Variable['read'];

/** @returns a variable with one value. */
export function scalar(name: string, lifetime: Lifetime, read: Read): Variable {
  return { name, hasMembers: false, lifetime, read };
}

/** @returns a variable with members. */
export function collection(name: string, lifetime: Lifetime, read: Read): Variable {
  return { name, hasMembers: true, lifetime, read };
}
