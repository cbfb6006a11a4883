/** What is wrong with a bill: the line, its field, and why. */
export class BillError extends Error {
  override readonly name = 'BillError';
  /** number of the line; 0 where the bill as a whole is wrong */
  readonly line: bigint;
  /** as the .proto names it */
  readonly field: string;

  constructor(line: bigint, field: string, reason: string) {
    super(reason);
    this.line = line;
    this.field = field;
  }
}

/** A fault as data. */
export interface BillFault {
  readonly line: bigint;
  readonly field: string;
  readonly reason: string;
}

/** The fault of a check that fails; undefined where it passes. @throws what is no BillError */
export function faultOf(check: () => void): BillFault | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof BillError)) throw error;
    return { line: error.line, field: error.field, reason: error.message };
  }
}
