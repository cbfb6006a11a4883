/** What a refused message leaves: everything as it was, but the fee of its sender. */

import { createHash } from 'node:crypto';
import { moduleAddress } from '@mu/lib/address';
import { fromBech32 } from '@mu/lib/bech32';
import { fromUtf8, toHex } from '@mu/lib/bytes';
import { balanceKey } from '@mu/x-bank/keys';
import { type Account, denom, type MuChain } from '../mu-chain.ts';

const stores = ['provider', 'deployment', 'market', 'billing', 'bank'] as const;

export interface Snapshot {
  /** over all keys and values of the market's modules and the bank, but the two balances that a fee moves between */
  readonly hash: string;
  /** of the sender, in umu */
  readonly payer: bigint;
  /** of the fee collector, in umu */
  readonly collector: bigint;
}

/** The state as the last block left it, seen by one who pays a fee. */
export function snapshot(chain: MuChain, payer: Account): Snapshot {
  const { stores: state } = chain.app.queryContext();
  const moved = [balanceKey(fromBech32(payer.address), denom), balanceKey(moduleAddress('fee_collector'), denom)];
  const names = moved.map(toHex);
  const hash = createHash('sha256');
  for (const name of stores) {
    for (const [key, value] of state.store(name).iterate()) {
      if (name === 'bank' && names.includes(toHex(key))) continue;
      hash.update(`${name} ${key.length} ${value.length} `).update(key).update(value);
    }
  }
  const amountAt = (key: Uint8Array): bigint => BigInt(fromUtf8(state.store('bank').get(key) ?? new Uint8Array([48])));
  const [own, collected] = moved.map(amountAt);
  return { hash: hash.digest('hex'), payer: own as bigint, collector: collected as bigint };
}
