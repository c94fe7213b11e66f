/** Exit codes scripts may count on (see docs/guides/cli.md). */
export const exitCodes = { done: 0, failed: 1, usage: 64, unavailable: 69, notAllowed: 77 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface FailureFacts {
  readonly exitCode: ExitCode;
  /** A code of the error table, where a server answered one. */
  readonly code?: string;
  readonly requestId?: string;
  /** One line for each place that is wrong. */
  readonly places?: readonly string[];
  /** The command, or the step, to try next. */
  readonly next?: string;
}

/** Why a command ends early: what a person needs to go on, and the exit code a script needs. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly facts: FailureFacts,
  ) {
    super(message);
    this.name = 'Failure';
  }
}

/** The command was typed wrongly. */
export function usageFailure(message: string, next?: string): Failure {
  return new Failure(message, { exitCode: exitCodes.usage, next });
}
