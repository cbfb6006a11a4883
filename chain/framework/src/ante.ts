/** What stands before the messages of a transaction: one flat ordered list of checks. */
import type { Context } from './context.ts';
import type { Tx } from './tx.ts';

/**
 * One check. It throws to refuse the transaction, and may write (fees, sequences): what the whole list wrote stays even
 * when a message fails later. The first step returns a context with the transaction's gas meter.
 */
export interface AnteStep {
  readonly name: string;
  run(ctx: Context, tx: Tx): Context | undefined;
}
