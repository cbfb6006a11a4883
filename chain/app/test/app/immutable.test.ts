/**
 * A decoded transaction is one object from its check to its execution, and is kept for whoever comes with the same bytes:
 * nothing may write into it. Here every object of it is frozen, so that a write throws, and its bytes are compared.
 */
import { expect, jest, test } from '@jest/globals';
import { BaseApp } from '@mu/framework/base-app';
import type { Tx } from '@mu/framework/tx';
import { CheckTxType } from 'cosmjs-types/tendermint/abci/types';
import { Market } from './market.ts';
import { tell } from './story.ts';

/** Freezes all but typed arrays, which cannot be frozen, and what is handed over for later (`derived`). */
function freeze(value: unknown, bytes: Uint8Array[], seen: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Uint8Array) {
    bytes.push(value);
    return;
  }
  Object.freeze(value);
  for (const [key, inner] of Object.entries(value)) {
    // The type belongs to the registry, not to the transaction.
    if (key !== 'derived' && key !== 'type') freeze(inner, bytes, seen);
  }
}

test('nothing writes into a decoded transaction', async () => {
  const frozen = new Map<Tx, { readonly bytes: Uint8Array[]; readonly before: Buffer }>();
  const plain = await Market.begin();
  const expected = await tell(plain);
  const { decode } = BaseApp.prototype;
  jest.spyOn(BaseApp.prototype, 'decode').mockImplementation(function (this: BaseApp, raw, chain) {
    const tx = decode.call(this, raw, chain);
    if (!frozen.has(tx)) {
      const bytes: Uint8Array[] = [];
      freeze(tx, bytes, new Set());
      frozen.set(tx, { bytes, before: Buffer.concat(bytes) });
    }
    return tx;
  });
  try {
    const market = await Market.begin();
    const feed = market.chain.feed.bind(market.chain);
    market.chain.feed = (block, wished) => {
      for (const tx of block.txs) {
        for (const type of [CheckTxType.NEW, CheckTxType.RECHECK]) market.chain.app.checkTx({ tx, type });
      }
      return feed(block, wished);
    };
    const steps = await tell(market);
    expect(steps).toEqual(expected);
    expect(market.chain.blocks.at(-1)?.appHash).toBe(plain.chain.blocks.at(-1)?.appHash);
  } finally {
    jest.restoreAllMocks();
  }
  expect(frozen.size).toBeGreaterThan(20);
  for (const { bytes, before } of frozen.values()) expect(Buffer.concat(bytes).equals(before)).toBe(true);
});
