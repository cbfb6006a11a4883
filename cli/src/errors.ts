/** How mucli ends: exit codes, and errors that say what to do. */

export const exitCodes = {
  ok: 0,
  /** the chain, a provider or a file refused */
  failed: 1,
  /** the command line, a stack file or the config is wrong: nothing was sent */
  usage: 2,
  /** nobody has bid within the time */
  noBid: 3,
  /** the node could not prove what it says */
  unproved: 4,
} as const;

/** An error for the person at the terminal. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, exitCodes.usage);
}
