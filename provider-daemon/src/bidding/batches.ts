/** Many messages in few transactions. One that fails fails its whole transaction: it is found by halves, and the rest goes. */
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import type { SentTx } from '@mu/client/chain/sender';

/** Something to send, in one message. */
export interface Sendable {
  readonly message: EncodeObject;
  /** of the encoded message */
  readonly bytes: number;
}

/** Messages in a transaction: its gas stays far below a block's. */
export const maxBatchMessages = 64;
/** Bytes of messages in a transaction: a sixteenth of what mempools take. */
export const maxBatchBytes = 65_536;

/** In their order; a message above the bytes' bound goes alone. */
export function inBatches<T extends Sendable>(items: readonly T[]): T[][] {
  const batches: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const last = batches.at(-1);
    if (last !== undefined && last.length < maxBatchMessages && bytes + item.bytes <= maxBatchBytes) {
      last.push(item);
      bytes += item.bytes;
    } else {
      batches.push([item]);
      bytes = item.bytes;
    }
  }
  return batches;
}

export interface BatchPost<T> {
  /** @throws ChainError without a hash when the simulation fails, with one when the node refuses */
  readonly send: (messages: readonly EncodeObject[]) => Promise<SentTx>;
  /** they are in a block */
  readonly onDone: (items: readonly T[], tx: CommittedTx) => void;
  /** they are in none; a ChainError is the chain's word on this one item, or on the sender */
  readonly onFailed: (items: readonly T[], error: unknown) => void;
}

/**
 * Sends a batch and what remains of it after a failure. The simulation runs all messages, so a bad one mostly costs
 * nothing; one that goes bad between simulation and block costs its transaction's fee, and the halves are simulated anew.
 * Never rejects.
 */
export async function post<T extends Sendable>(batch: readonly T[], to: BatchPost<T>): Promise<void> {
  try {
    const sent = await to.send(batch.map(({ message }) => message));
    to.onDone(batch, await sent.committed(Number.POSITIVE_INFINITY));
  } catch (error) {
    if (batch.length === 1 || !isOneMessages(error)) {
      to.onFailed(batch, error);
      return;
    }
    const half = Math.ceil(batch.length / 2);
    // One after the other: what the first half takes, the second one may not find any more.
    await post(batch.slice(0, half), to);
    await post(batch.slice(half), to);
  }
}

/** Codes of codespace `sdk` that speak of the transaction as a whole: every part of it would meet them too. */
const ofTheWhole: ReadonlySet<number> = new Set([3, 4, 8, 9, 12, 13, 20, 28, 30, 32]);

/** Whether a refusal can be about one of the messages. */
function isOneMessages(error: unknown): boolean {
  if (!(error instanceof ChainError) || error.notFound) return false;
  return error.codespace !== 'sdk' || !ofTheWhole.has(error.code);
}
