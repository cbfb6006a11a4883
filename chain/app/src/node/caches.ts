/** How the memory for nodes of the trees is shared. */
import type { NodeConfig } from './config.ts';

/** The part of the cache that the thread of queries has. */
const queryShare = 4;

/** Bytes for the thread that answers queries. */
export function queryCacheBytes({ store }: NodeConfig): number {
  return Math.floor((store.cache_mb * 1_048_576) / queryShare);
}

/** Bytes for the state machine: the rest. */
export function stateCacheBytes(config: NodeConfig): number {
  return config.store.cache_mb * 1_048_576 - queryCacheBytes(config);
}
