/** What a chain refused, as a client meets it. */

/** A refusal by the chain. Match on codespace and code, never on the text. */
export class ChainError extends Error {
  readonly codespace: string;
  readonly code: number;
  /** a record that was asked for does not exist */
  readonly notFound: boolean;
  /** hash of the transaction, upper-case hex, where one was sent */
  readonly hash: string | undefined;

  constructor(
    message: string,
    facts: { readonly codespace?: string; readonly code: number; readonly notFound?: boolean; readonly hash?: string },
  ) {
    super(message);
    this.name = 'ChainError';
    this.codespace = facts.codespace ?? 'sdk';
    this.code = facts.code;
    this.notFound = facts.notFound ?? false;
    this.hash = facts.hash;
  }
}

/** A record, or undefined where the chain has none. @throws whatever else the question throws */
export async function unlessMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ChainError && error.notFound) return undefined;
    throw error;
  }
}

/** The gRPC status name in a text like `rpc error: code = NotFound desc = …`. */
export function grpcStatusOf(text: string): string | undefined {
  return /rpc error: code = (\w+)/.exec(text)?.[1];
}
