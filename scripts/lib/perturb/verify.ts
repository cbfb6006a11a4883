/** What must be so on every node when all is over: no fork, nothing lost, nothing twice, nothing that nobody sent. */
import { QueryBalanceRequest, QueryBalanceResponse } from 'cosmjs-types/cosmos/bank/v1beta1/query';
import { type Localnet, type NodeLayout, rpcOf } from '../localnet/layout.ts';
import { abciQuery, type BlockMeta, blockMetas, blockTxs, callRpc, syncInfo } from '../localnet/rpc.ts';
import { type TestWallet, txHash } from '../wallets.ts';
import { accountAt, type Load } from './load.ts';

export interface Chain {
  /** blocks of the node that has the most of them, from the first */
  readonly metas: readonly BlockMeta[];
  /** hashes of all transactions but those of the last block, in their order */
  readonly txs: readonly string[];
}

/** Reads the blocks of all nodes up to a height and compares them; the last one holds the hash of the state before it. @throws Error that names the first difference */
export async function compareChains(net: Localnet, height: number): Promise<Chain> {
  const chains = await Promise.all(net.nodes.map((node) => metasOf(node, height)));
  const longest = chains.reduce((one, other) => (other.length > one.length ? other : one));
  for (const [index, chain] of chains.entries()) compareMetas(net, index, chain, longest);
  // The hash of a block's data is in what was compared: one node's transactions are everybody's.
  const holder = net.nodes[chains.indexOf(longest)] as NodeLayout;
  const txs: string[] = [];
  for (const meta of longest.slice(0, -1)) {
    if (meta.txCount > 0) txs.push(...(await blockTxs(rpcOf(holder), meta.height)).map(txHash));
  }
  return { metas: longest, txs };
}

/** A node that came back by block sync has all blocks; one that came back by state sync begins later. */
async function metasOf(node: NodeLayout, height: number): Promise<BlockMeta[]> {
  const sync = await syncInfo(rpcOf(node));
  if (sync === undefined) throw new Error(`${node.name} does not answer at the end`);
  return blockMetas(rpcOf(node), Math.max(1, Number(sync.earliest_block_height)), height);
}

function compareMetas(net: Localnet, index: number, chain: readonly BlockMeta[], longest: readonly BlockMeta[]): void {
  const first = longest[0]?.height ?? 1;
  for (const meta of chain) {
    const other = longest[meta.height - first];
    for (const field of ['appHash', 'hash', 'lastResultsHash', 'dataHash'] as const) {
      if (meta[field] !== other?.[field])
        throw new Error(
          `${net.nodes[index]?.name} differs at height ${meta.height}: its ${field} is ${meta[field]}, another node's ${other?.[field]}`,
        );
    }
  }
}

/** The transactions on the chain against those that were sent and the accounts of every node. @throws Error */
export async function checkTransactions(
  net: Localnet,
  chain: Chain,
  load: Load,
  wallets: readonly TestWallet[],
  receiver: string,
): Promise<void> {
  const once = new Set(chain.txs);
  if (once.size !== chain.txs.length)
    throw new Error(`${chain.txs.length - once.size} transactions are on the chain twice`);
  for (const hash of once) {
    if (!load.sent.has(hash)) throw new Error(`transaction ${hash} is on the chain, and nobody sent it`);
  }
  // A node shows a block before its application has executed it: the one before the last is in the state of all.
  const height = chain.metas.length === 0 ? 0 : (chain.metas.at(-1) as BlockMeta).height - 1;
  for (const node of net.nodes) {
    const rpc = rpcOf(node);
    let committed = 0n;
    for (const { address } of wallets) {
      const { sequence } = await accountAt(rpc, address, height);
      const seen = load.seen.get(address) ?? 0n;
      if (sequence < seen)
        throw new Error(`${node.name} has sequence ${sequence} for ${address}, but ${seen} had been committed`);
      committed += sequence;
    }
    if (committed !== BigInt(once.size))
      throw new Error(`${node.name}: the accounts have sent ${committed} transactions, ${once.size} are on the chain`);
    const received = await balanceAt(rpc, receiver, height);
    if (received !== committed)
      throw new Error(`${node.name}: ${received} umu have arrived by ${committed} sends of one umu`);
  }
}

async function balanceAt(rpc: string, address: string, height: number): Promise<bigint> {
  const data = QueryBalanceRequest.encode({ address, denom: 'umu' }).finish();
  const answer = QueryBalanceResponse.decode(await abciQuery(rpc, '/cosmos.bank.v1beta1.Query/Balance', data, height));
  return BigInt(answer.balance?.amount ?? '0');
}

/** How many transactions wait in a node's mempool. */
export async function waitingTxs(node: NodeLayout): Promise<number> {
  return Number((await callRpc<{ n_txs: string }>(rpcOf(node), 'num_unconfirmed_txs')).n_txs);
}
