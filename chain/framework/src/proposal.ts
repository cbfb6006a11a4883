/** What a proposal holds and when it is refused (design §5; ABCI++ requirements 1 to 3). */
import { isExpected } from './system-tx.ts';
import type { Tx } from './tx.ts';

interface ProposalRules {
  /** gas of a block; undefined for no limit */
  readonly maxGas: bigint | undefined;
  readonly decode: (raw: Uint8Array) => Tx;
}

/** Bytes that a transaction takes of a block: its length, and the tag and length before it (ComputeProtoSizeForTxs). */
function sizeInBlock({ length }: Uint8Array): bigint {
  let size = 2 + length;
  for (let rest = length; rest >= 0x80; rest >>>= 7) size += 1;
  return BigInt(size);
}

/**
 * The block's transactions: the system's first, then the mempool's in their order while they fit. A transaction that
 * the peers would refuse is left out: a proposal is always accepted by its own check (ASA-2024-002).
 */
export function fillProposal(
  first: Uint8Array | undefined,
  mempool: readonly Uint8Array[],
  rules: ProposalRules & { readonly maxBytes: bigint },
): Uint8Array[] {
  const txs = first === undefined ? [] : [first];
  let bytes = first === undefined ? 0n : sizeInBlock(first);
  let gas = 0n;
  for (const raw of mempool) {
    const wanted = gasOf(raw, rules);
    if (typeof wanted === 'string') continue;
    const size = sizeInBlock(raw);
    if (bytes + size > rules.maxBytes) continue;
    if (rules.maxGas !== undefined && gas + wanted > rules.maxGas) continue;
    bytes += size;
    gas += wanted;
    txs.push(raw);
  }
  return txs;
}

/** Why a proposal is refused; undefined when it is accepted. No reason depends on this node alone. */
export function checkProposal(
  first: Uint8Array | undefined,
  txs: readonly Uint8Array[],
  rules: ProposalRules,
): string | undefined {
  if (first !== undefined && (txs[0] === undefined || !isExpected(first, txs[0]))) {
    return 'the block does not begin with the transaction that the state calls for';
  }
  let gas = 0n;
  for (const raw of first === undefined ? txs : txs.slice(1)) {
    const wanted = gasOf(raw, rules);
    if (typeof wanted === 'string') return wanted;
    gas += wanted;
  }
  if (rules.maxGas !== undefined && gas > rules.maxGas) return `the block wants ${gas} gas, at most ${rules.maxGas}`;
  return undefined;
}

/** The gas a user's transaction wants, or why it can stand in no block. */
function gasOf(raw: Uint8Array, rules: ProposalRules): bigint | string {
  let tx: Tx;
  try {
    tx = rules.decode(raw);
  } catch (error) {
    return error instanceof Error ? error.message : 'a transaction does not decode';
  }
  if (tx.signatures.length === 0) return 'a transaction has no signatures';
  const gas = tx.authInfo.fee.gasLimit;
  if (rules.maxGas !== undefined && gas > rules.maxGas)
    return `a transaction wants ${gas} gas, at most ${rules.maxGas}`;
  return gas;
}
