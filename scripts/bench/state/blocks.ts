/** Blocks of sends over a state of so many accounts, without engine, socket and load: what each phase of a block takes. */
import { createMuNodeApp, type MuApp, muStoreNames } from '@mu/app/mu-app';
import { toBech32 } from '@mu/lib/bech32';
import { CheckTxType, RequestFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import { ownMemory, percentile } from '../figures.ts';
import { beginChain, chainId, requireSuccess } from '../in-process.ts';
import { benchWallets, signSends } from '../sends.ts';
import { FilledStore, filledAddress } from './filled-store.ts';

const wallets = 200;
export const sendsPerBlock = 5_000;

/** Milliseconds a block, each the median of the blocks. */
export interface BlockPhases {
  readonly check_ms: number;
  /** FinalizeBlock without the trees */
  readonly execute_ms: number;
  /** the trees' part of FinalizeBlock */
  readonly hash_ms: number;
  readonly commit_ms: number;
  /** from the commit until the block is in the files, which the next block does not wait for */
  readonly write_ms: number;
}

export interface BlockFigures extends BlockPhases {
  readonly accounts: number;
  /** from an empty state to the first committed block */
  readonly fill_s: number;
  /** with the pages of the state's file that are mapped and in memory */
  readonly rss_mb: number;
  /** without them */
  readonly memory_mb: number;
  /** of the state's files */
  readonly bytes_per_send: number;
}

export interface BlockOptions {
  /** of the state; to be made */
  readonly folder: string;
  readonly accounts: number;
  readonly blocks: number;
  readonly cacheMb: number;
}

/** @throws Error when a send fails */
export async function measureBlocks({ folder, accounts, blocks, cacheMb }: BlockOptions): Promise<BlockFigures> {
  const began = performance.now();
  const store = new FilledStore(folder, muStoreNames, { cacheBytes: cacheMb * 1_048_576, accounts });
  const node = createMuNodeApp({ store });
  beginChain(node, benchWallets(wallets));
  await store.settled();
  const fillSeconds = (performance.now() - began) / 1000;
  const txs = signedBlocks(accounts, blocks + 1);
  const phases: BlockPhases[] = [];
  let bytes = 0;
  // The first one warms the program up.
  for (const [index, block] of txs.entries()) {
    const before = store.figures.bytes;
    phases.push(await oneBlock(node, store, BigInt(index) + 2n, block));
    if (index > 0) bytes += store.figures.bytes - before;
  }
  const measured = phases.slice(1);
  const of = (pick: (one: BlockPhases) => number): number => percentile(measured.map(pick), 0.5);
  const result = {
    accounts,
    fill_s: fillSeconds,
    check_ms: of(({ check_ms }) => check_ms),
    execute_ms: of(({ execute_ms }) => execute_ms),
    hash_ms: of(({ hash_ms }) => hash_ms),
    commit_ms: of(({ commit_ms }) => commit_ms),
    write_ms: of(({ write_ms }) => write_ms),
    rss_mb: process.memoryUsage.rss() / 1_048_576,
    memory_mb: ownMemory() / 1_048_576,
    bytes_per_send: bytes / blocks / sendsPerBlock,
  };
  await store.close();
  return result;
}

/** Sends to accounts all over the state, so that each block changes other parts of the trees. */
function signedBlocks(accounts: number, blocks: number): Uint8Array[][] {
  const rounds = sendsPerBlock / wallets;
  // A stride that meets every part: accounts are asked for in no order that a cache could follow.
  const receiver = (wallet: number, round: number): string =>
    toBech32('mu', filledAddress(((wallet * rounds * blocks + round) * 7_919) % accounts, accounts));
  const own = signSends(chainId, benchWallets(wallets), rounds * blocks, receiver);
  return Array.from({ length: blocks }, (_, block) =>
    Array.from({ length: rounds }, (_unused, round) =>
      own.map((txs) => txs[block * rounds + round] as Uint8Array),
    ).flat(),
  );
}

async function oneBlock({ app }: MuApp, store: FilledStore, height: bigint, txs: Uint8Array[]): Promise<BlockPhases> {
  const start = performance.now();
  requireSuccess(txs.map((tx) => app.checkTx({ tx, type: CheckTxType.NEW })));
  const checked = performance.now();
  store.hashMs = 0;
  requireSuccess(app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height, txs })).txResults);
  const finalized = performance.now();
  app.commit();
  const committed = performance.now();
  await store.settled();
  return {
    check_ms: checked - start,
    execute_ms: finalized - checked - store.hashMs,
    hash_ms: store.hashMs,
    commit_ms: committed - finalized,
    write_ms: performance.now() - committed,
  };
}
