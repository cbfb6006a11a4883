/** What must be so on every node when all is over: no fork, nothing lost, nothing twice, nothing that nobody sent. */
import { QueryBalanceRequest, QueryBalanceResponse } from 'cosmjs-types/cosmos/bank/v1beta1/query';
import { type Localnet, type NodeLayout, rpcOf } from '../localnet/layout.ts';
import { abciQuery, type BlockMeta, blockMetas, blockTxs, callRpc, syncInfo } from '../localnet/rpc.ts';
import { txHash } from '../wallets.ts';
import { accountAt } from './load.ts';

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
  for (const [index, chain] of chains.entries()) compareMetas(net.nodes[index]?.name ?? '', chain, longest);
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

/** Blocks of two nodes where both have them. @throws Error that names the first difference */
export function compareMetas(name: string, chain: readonly BlockMeta[], longest: readonly BlockMeta[]): void {
  const first = longest[0]?.height ?? 1;
  for (const meta of chain) {
    const other = longest[meta.height - first];
    for (const field of ['appHash', 'hash', 'lastResultsHash', 'dataHash'] as const) {
      if (meta[field] !== other?.[field]) {
        throw new Error(
          `${name} differs at height ${meta.height}: its ${field} is ${meta[field]}, another node's ${other?.[field]}`,
        );
      }
    }
  }
}

/** What a node's state says when all is over. */
export interface NodeAccounts {
  readonly name: string;
  /** by address */
  readonly sequences: ReadonlyMap<string, bigint>;
  /** what all sends together have brought */
  readonly received: bigint;
}

/** Reads the accounts of every node at the last height whose transactions are in `chain`. */
export function readAccounts(
  net: Localnet,
  chain: Chain,
  addresses: readonly string[],
  receiver: string,
): Promise<NodeAccounts[]> {
  // A node shows a block before its application has executed it: the one before the last is in the state of all.
  const height = (chain.metas.at(-1)?.height ?? 1) - 1;
  return Promise.all(
    net.nodes.map(async (node) => {
      const sequences = new Map<string, bigint>();
      for (const address of addresses) sequences.set(address, (await accountAt(rpcOf(node), address, height)).sequence);
      return { name: node.name, sequences, received: await balanceAt(rpcOf(node), receiver, height) };
    }),
  );
}

/**
 * The transactions on the chain against those that were sent and the accounts of every node.
 * @throws Error for one that is there twice, that nobody sent, or that a node has lost
 */
export function checkTransactions(
  txs: readonly string[],
  load: { readonly sent: ReadonlySet<string>; readonly seen: ReadonlyMap<string, bigint> },
  nodes: readonly NodeAccounts[],
): void {
  const once = new Set(txs);
  if (once.size !== txs.length) throw new Error(`${txs.length - once.size} transactions are on the chain twice`);
  for (const hash of once) {
    if (!load.sent.has(hash)) throw new Error(`transaction ${hash} is on the chain, and nobody sent it`);
  }
  for (const { name, sequences, received } of nodes) {
    let committed = 0n;
    for (const [address, sequence] of sequences) {
      const seen = load.seen.get(address) ?? 0n;
      if (sequence < seen)
        throw new Error(`${name} has sequence ${sequence} for ${address}, but ${seen} was committed`);
      committed += sequence;
    }
    if (committed !== BigInt(once.size))
      throw new Error(`${name}: the accounts have sent ${committed} transactions, ${once.size} are on the chain`);
    // Each send is of one umu.
    if (received !== committed)
      throw new Error(`${name}: ${received} umu have arrived by ${committed} sends of one umu`);
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
