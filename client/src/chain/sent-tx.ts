/**
 * What becomes of a transaction that a node has taken. Until its block comes it may be lost on the way: a full mempool drops
 * it without a word, a node is started again, or another transaction of the account takes its sequence.
 *
 * The same bytes may be handed over as often as one likes: they run once. Other bytes with the same messages may not be made
 * before the first ones are dead, that is, can be in no block any more: their sequence has been used by another transaction,
 * or their last height has passed. Until then even a transaction that failed in a block for its sequence is alive: its bytes
 * are public, and run if the sequence comes to them.
 */
import type { AccountFacts, ChainClient, CommittedTx } from './chain-client.ts';
import { ChainError } from './errors.ts';
import type { TxContent } from './tx-signer.ts';

/** Code of codespace `sdk` for an account sequence that is not the next one. */
const wrongSequence = 32;
/** Code of codespace `sdk` for a last height that has passed. */
const timedOut = 30;
/** Code of the mempool's cache: this very transaction has been seen. */
const alreadySeen = 19;

export function isWrongSequence(error: unknown): boolean {
  return error instanceof ChainError && error.codespace === 'sdk' && error.code === wrongSequence;
}

/** It is not known whether the transaction will be in a block: it may still come. */
export class TxPendingError extends Error {
  /** upper-case hex */
  readonly hash: string;

  constructor(message: string, hash: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'TxPendingError';
    this.hash = hash;
  }
}

/** A signed transaction that was handed to a node. */
export interface Flight extends TxContent {
  readonly sequence: bigint;
  readonly raw: Uint8Array;
  readonly hash: Uint8Array;
  /** upper-case hex */
  readonly name: string;
  /** the same messages under another sequence, once this one is dead */
  successor?: Promise<Flight>;
}

/** How a node answered to bytes. `unknown`: no answer came, so they may have arrived or not. */
export type Handover =
  | { readonly at: 'taken' | 'unknown' }
  | { readonly at: 'refused'; readonly error: ChainError | Error };

/** Hands bytes to a node. @throws never */
export async function handOver(client: ChainClient, raw: Uint8Array, name: string): Promise<Handover> {
  try {
    const answer = await client.comet.broadcastTxSync({ tx: raw });
    if (answer.code === 0 || answer.code === alreadySeen) return { at: 'taken' };
    const error = new ChainError(`the node refused the transaction: ${answer.log ?? ''}`, {
      codespace: answer.codespace ?? '',
      code: answer.code,
      hash: name,
    });
    return { at: 'refused', error };
  } catch (error) {
    const text = rpcErrorText(error);
    if (text === undefined) return { at: 'unknown' };
    // CometBFT tells what its mempool thinks by text alone.
    if (text.includes('already exists in cache')) return { at: 'taken' };
    return { at: 'refused', error: new Error(`the node refused the transaction: ${text}`) };
  }
}

/** What a node said in an error of JSON-RPC, which CosmJS passes on as its JSON; undefined where nothing came from a node. */
function rpcErrorText(error: unknown): string | undefined {
  try {
    const { code, message, data } = JSON.parse((error as Error).message) as Record<string, unknown>;
    return typeof code === 'number' ? [message, data].filter((part) => typeof part === 'string').join(': ') : undefined;
  } catch {
    return undefined;
  }
}

export interface Patience {
  readonly limitMs: number;
  readonly pause: (ms: number) => Promise<void>;
  readonly isClosed: () => boolean;
}

/** Between two looks for the transaction. */
export const pollMs = 150;
/** Every so many looks the account and the height are looked at too. */
const looksPerFate = 8;
/** A node may write its index of transactions after its state: so many blocks later it is there. */
const indexBlocks = 2;
/** After so many blocks without it the same bytes are handed over again. */
const againBlocks = 3;

/** What is learned about a flight while it is watched. */
interface Sight {
  /** it failed in a block for its sequence */
  passedOver: boolean;
  /** height at which its sequence was first seen used */
  usedAt?: number;
  /** height at which it was last handed over */
  handedAt?: number;
}

/**
 * Waits until a flight is in a block.
 * @returns undefined when it is dead without having run, and its sequence went to another transaction
 * @throws ChainError when it failed in its block, or with code 30 when its last height has passed without it; TxPendingError
 *   when the limit is over
 */
export async function watchFlight(
  of: { readonly client: ChainClient; readonly address: string },
  flight: Flight,
  patience: Patience,
): Promise<CommittedTx | undefined> {
  const sight: Sight = { passedOver: false };
  let trouble: unknown;
  for (let look = 1; !patience.isClosed() && (look - 1) * pollMs <= patience.limitMs; look += 1) {
    try {
      const found = await of.client.tx(flight.hash);
      if (found?.code === 0) return found;
      if (found !== undefined) sight.passedOver = passedOver(found, flight);
      if (look % looksPerFate === 0 && (await isDead(of, flight, sight))) return undefined;
    } catch (error) {
      if (error instanceof ChainError && error.hash === flight.name) throw error;
      // A node that does not answer now may answer before the limit.
      trouble = error;
    }
    await patience.pause(pollMs);
  }
  const waited = patience.isClosed() ? 'when the sender was closed' : `after ${patience.limitMs / 1_000} s`;
  const why = trouble instanceof Error ? ` (last: ${trouble.message})` : '';
  const text = `transaction ${flight.name} is in no block ${waited}; it may still come: ask for it by its hash${why}`;
  throw new TxPendingError(text, flight.name, trouble);
}

/** True for one that failed for its sequence alone. @throws ChainError of any other failure */
function passedOver({ codespace, code, log }: CommittedTx, { name }: Flight): boolean {
  if (codespace === 'sdk' && code === wrongSequence) return true;
  throw new ChainError(`the transaction failed: ${log}`, { codespace, code, hash: name });
}

/** Whether its sequence was used by another one; hands it over again where it seems to be lost. @throws ChainError */
async function isDead(
  { client, address }: { readonly client: ChainClient; readonly address: string },
  flight: Flight,
  sight: Sight,
): Promise<boolean> {
  const account: AccountFacts | undefined = await client.account(address);
  const height = await client.height();
  if ((account?.sequence ?? 0n) > flight.sequence) {
    sight.usedAt ??= height;
    return sight.passedOver || height >= sight.usedAt + indexBlocks;
  }
  if (BigInt(height) >= flight.timeoutHeight + BigInt(indexBlocks)) {
    const text = `transaction ${flight.name} is in no block up to ${flight.timeoutHeight}, its last one: it was lost and did nothing`;
    throw new ChainError(text, { code: timedOut, hash: flight.name });
  }
  sight.handedAt ??= height;
  if (height >= sight.handedAt + againBlocks) {
    sight.handedAt = height;
    await handOver(client, flight.raw, flight.name);
  }
  return false;
}
