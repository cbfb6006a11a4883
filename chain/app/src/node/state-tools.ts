/** What an operator does with the state of a node that stands still. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@mu/lib/bytes';
import { consensusParamsJson } from '../engine/genesis.ts';
import { rollbackEngine } from '../engine/rollback.ts';
import { EngineStore } from '../engine/store.ts';
import { createMuApp, muStoreNames } from '../mu-app.ts';
import { LmdbCommitStore } from '../store/lmdb-store.ts';
import { pruningPlan } from '../store/pruning.ts';
import type { NodeConfig } from './config.ts';
import { openDataFolder, requireSameChain } from './data-folder.ts';
import { type Genesis, readGenesis } from './genesis.ts';
import type { Home } from './home.ts';

export interface RolledBack {
  readonly from_height: number;
  readonly height: number;
  readonly app_hash: string;
}

/**
 * The state one version back, as the SDK's `rollback`: the last block is executed again at the next start. The embedded
 * engine goes back with it; CometBFT has a command of its own.
 * @throws Error when there is no version before the last
 */
export function rollbackState(home: Home, config: NodeConfig): Promise<RolledBack> {
  return withState(home, config, async (store) => {
    const from = store.last.height;
    const engineHeight = config.engine.kind === 'solo' ? await rollbackSolo(home) : from - 1n;
    // After a crash the state may be behind its engine: then the blocks between are executed anyway.
    const target = engineHeight < from ? engineHeight : from;
    if (target < 1n) throw new Error(`the state is at height ${from}: there is none before it`);
    if (target < from) await store.rollback(target);
    const { height, appHash } = store.last;
    return { from_height: Number(from), height: Number(height), app_hash: hexOf(appHash) };
  });
}

async function rollbackSolo(home: Home): Promise<bigint> {
  const engine = new EngineStore(home.engine);
  try {
    return rollbackEngine(engine);
  } finally {
    await engine.close();
  }
}

export interface Pruned {
  readonly height: number;
  readonly oldest: number;
  readonly versions: number;
  readonly versions_removed: number;
}

/** Forgets the versions that the config's plan does not keep. @throws Error when the plan keeps all */
export function pruneState(home: Home, config: NodeConfig): Promise<Pruned> {
  if (planOf(config).keepRecent === undefined)
    throw new Error('store.pruning keeps every version: nothing is to be pruned; --set store.pruning=… says otherwise');
  return withState(home, config, async (store) => {
    const before = store.figures.versions;
    await store.prune();
    const { versions } = store.figures;
    const height = Number(store.last.height);
    return { height, oldest: store.oldest, versions, versions_removed: before - versions };
  });
}

/**
 * A genesis from which a chain goes on where this one stood.
 * @param height 0 for the latest
 * @throws AbciError invalid height (26) when that version is not kept
 */
export function exportGenesis(home: Home, config: NodeConfig, height: bigint): Promise<Genesis> {
  const original = readGenesis(home.genesis);
  return withState(home, config, async (store) => {
    // What this program does not know it would leave out.
    store.requireStores();
    const app = createMuApp({ store });
    const at = height === 0n ? store.last.height : height;
    return {
      ...original,
      initial_height: (at + 1n).toString(),
      consensus_params: consensusParamsJson(app.consensusParams(at)) as Genesis['consensus_params'],
      app_hash: '',
      app_state: app.exportState(at),
    };
  });
}

async function withState<T>(home: Home, config: NodeConfig, work: (store: LmdbCommitStore) => Promise<T>): Promise<T> {
  if (!existsSync(join(home.state, 'data.mdb'))) throw new Error(`${home.state} holds no state: the node never ran`);
  const folder = openDataFolder(home);
  const store = openStore(home, config);
  try {
    if (store.last.height === 0n) throw new Error(`${home.state} holds no state yet: no block was committed`);
    requireSameChain(home, createMuApp({ store }).chain.chainId);
    return await work(store);
  } finally {
    await store.close();
    folder.close();
  }
}

function openStore(home: Home, config: NodeConfig): LmdbCommitStore {
  return new LmdbCommitStore(home.state, muStoreNames, {
    cacheBytes: config.store.cache_mb * 1_048_576,
    pruning: planOf(config),
    onFailure: (error) => {
      throw error;
    },
  });
}

function planOf({ store }: NodeConfig): ReturnType<typeof pruningPlan> {
  return pruningPlan({
    pruning: store.pruning,
    keepRecent: store.pruning_keep_recent,
    interval: store.pruning_interval,
  });
}

const hexOf = (bytes: Uint8Array): string => toHex(bytes).toUpperCase();
