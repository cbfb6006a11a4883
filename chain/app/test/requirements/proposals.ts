/** Two nodes of one chain with an order that is due, and transactions of every kind that a mempool or a proposer may hold. */
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { encodeSystemTx } from '@mu/framework/system-tx';
import { txLimits } from '@mu/framework/tx';
import { concatBytes, utf8 } from '@mu/lib/bytes';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { AuthInfo, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import { Data } from 'cosmjs-types/tendermint/types/types';
import fc from 'fast-check';
import { muStoreNames } from '../../src/mu-app.ts';
import { actors, Market, marketGenesis } from '../app/market.ts';
import { any, denom, MuChain, signTx, withAuthority } from '../app/mu-chain.ts';

/** Gas of a block of these chains (mu-chain.ts). */
export const blockGas = 100_000_000n;

/** A node, another one that was fed the same blocks and started anew, and what the next block must begin with. */
export interface Nodes {
  readonly market: Market;
  readonly p: MuChain;
  readonly q: MuChain;
  readonly first: Uint8Array;
}

/** The next block is 8, in which the order of the user is matched. The treasury is the authority. */
export async function nodesWithDueOrder(): Promise<Nodes> {
  const who = await actors();
  const state = withAuthority(marketGenesis(who), who.treasury);
  const market = new Market(MuChain.begin(state), who);
  await market.register();
  await market.deploy(1n);
  await market.bid(who.cheap, 1n, '9.25');
  await market.chain.to(7n);
  const first = market.chain.due();
  if (first === undefined) throw new Error('an order is due');
  const store = new MemoryCommitStore(muStoreNames);
  const fed = MuChain.begin(state, store, 1n, { minGasPrices: `1000${denom}` });
  for (const block of market.chain.blocks) fed.feed(block);
  const q = MuChain.resume(store, { minGasPrices: `1000${denom}`, checkInvariants: false });
  return { market, p: market.chain, q, first };
}

/** A transaction with a signature that nobody made: proposals do not look at signatures. */
export function rawTx(
  messages: readonly Any[],
  options: { readonly gas?: bigint; readonly memo?: string; readonly signatures?: number } = {},
): Uint8Array {
  return TxRaw.encode({
    bodyBytes: TxBody.encode(TxBody.fromPartial({ messages: [...messages], memo: options.memo ?? '' })).finish(),
    authInfoBytes: AuthInfo.encode(AuthInfo.fromPartial({ fee: { gasLimit: options.gas ?? 200_000n } })).finish(),
    signatures: Array.from({ length: options.signatures ?? 1 }, () => new Uint8Array(64)),
  }).finish();
}

/** The largest transaction that any node decodes. */
export function largestTx(message: Any, seed: number): Uint8Array {
  const most = txLimits.bytes;
  let memo = most - 1_000;
  const of = (length: number): Uint8Array => rawTx([message], { memo: String(seed % 10).repeat(length) });
  memo += most - of(memo).length;
  return of(memo);
}

/** Transactions by what is the matter with them. */
export async function poolOf({ market, first }: Nodes): Promise<ReadonlyMap<string, Uint8Array>> {
  const { user, stranger } = market.who;
  const coins = [{ denom, amount: '5' }];
  const send = any(MsgSend, { fromAddress: user.address, toAddress: stranger.address, amount: coins });
  const { accountNumber, sequence } = market.chain.account(user.address);
  const injected = TxBody.decode(TxRaw.decode(first).bodyBytes).messages;
  const good = await signTx(user, [send], accountNumber, sequence);
  const entries: [string, Uint8Array][] = [
    ['good', good],
    ['good, one later', await signTx(user, [send], accountNumber, sequence + 1n)],
    ['nothing', new Uint8Array()],
    ['noise', utf8('no transaction at all')],
    ['trailing noise', concatBytes(good, Uint8Array.of(0x7a, 0))],
    ['unknown message', rawTx([{ typeUrl: '/mu.nothing', value: new Uint8Array() }])],
    ['without signatures', rawTx([send], { signatures: 0 })],
    ['all gas of a block', rawTx([send], { gas: blockGas })],
    ['most gas of a block', rawTx([send], { gas: blockGas - 300_000n })],
    ['more gas than a block', rawTx([send], { gas: blockGas + 1n })],
    ['gas beyond 64 bits signed', rawTx([send], { gas: 2n ** 64n - 1n })],
    ['what is due', first],
    ['what is due, of another height', encodeSystemTx(injected, 9n) as Uint8Array],
    ['what is due, twice', encodeSystemTx([...injected, ...injected], 8n) as Uint8Array],
    ['what is due, signed', rawTx(injected)],
    ['a memo of 90,000', rawTx([send], { memo: 'x'.repeat(90_000) })],
    ['a memo of 500,000', rawTx([send], { memo: 'y'.repeat(500_000) })],
    ['the largest', largestTx(send, 1)],
    ['one byte too large', concatBytes(largestTx(send, 1), Uint8Array.of(0))],
  ];
  return new Map(entries);
}

/** Any mempool made of these, in any order and repeated. */
export function mempools(pool: ReadonlyMap<string, Uint8Array>): fc.Arbitrary<Uint8Array[]> {
  const known = fc.constantFrom(...pool.values());
  const noise = fc.uint8Array({ maxLength: 200 });
  return fc.array(fc.oneof({ arbitrary: known, weight: 9 }, { arbitrary: noise, weight: 1 }), { maxLength: 30 });
}

/** Bytes of a list of transactions in a block, as CometBFT counts them. */
export function sizeOf(txs: readonly Uint8Array[]): number {
  return Data.encode({ txs: [...txs] }).finish().length;
}
