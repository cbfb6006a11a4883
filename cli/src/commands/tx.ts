/** What every transaction ends with. */
import type { CommittedTx } from '@mu/client/chain/chain-client';
import type { Session } from '../session.ts';

/** Prints where a transaction stands. */
export function reportTx(session: Session, tx: CommittedTx, more: Readonly<Record<string, unknown>> = {}): void {
  const facts = { hash: tx.hash, height: tx.height, gas_used: tx.gasUsed, ...more };
  session.output.result(facts, () => `in block ${tx.height}: ${tx.hash}`);
}
