/**
 * The application of a node over its files: the state machine on its committed state, threads that verify signatures, a
 * thread that answers queries. Whatever drives it, it is opened and closed here.
 */
import { mkdirSync } from 'node:fs';
import { UpgradeNeeded } from '@mu/x-upgrade/errors';
import type { Logger } from 'pino';
import { createMuNodeApp, muStoreNames } from '../mu-app.ts';
import { QueryThread } from '../query/query-thread.ts';
import { SnapshotFiles } from '../snapshots/snapshot-files.ts';
import { SnapshotManager } from '../snapshots/snapshot-manager.ts';
import { SnapshotThread } from '../snapshots/snapshot-thread.ts';
import { LmdbCommitStore } from '../store/lmdb-store.ts';
import { pruningPlan } from '../store/pruning.ts';
import type { StoreFigures } from '../telemetry/metrics.ts';
import { muUpgrades } from '../upgrades.ts';
import { warnWithoutNative } from '../verify/native.ts';
import { threadPlan, VerifyPool } from '../verify/pool.ts';
import { PreVerifier } from '../verify/pre-verifier.ts';
import { queryCacheBytes, stateCacheBytes } from './caches.ts';
import type { NodeConfig } from './config.ts';
import { requireSameChain } from './data-folder.ts';
import type { Home } from './home.ts';
import { NodeApplication } from './node-application.ts';
import { storeUpgradesAt, writeUpgradeInfo } from './upgrade.ts';

export interface OpenApplication {
  readonly application: NodeApplication;
  readonly store: LmdbCommitStore;
  /** What the state and the caches hold now, for metrics. */
  figures(): Promise<StoreFigures>;
  /** Ends the threads and closes the files once all that was committed is in them. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** learns of a failure after which no more blocks may be executed */
  readonly onFailure: (error: Error) => void;
  /** whether queries are answered here, on a thread beside; false where whoever serves the application has one */
  readonly answersQueries: boolean;
}

/** @throws Error that says what is wrong with the state, and what to do */
export function openApplication(
  home: Home,
  config: NodeConfig,
  log: Logger,
  { onFailure, answersQueries }: OpenOptions,
): OpenApplication {
  warnWithoutNative(log);
  mkdirSync(home.state, { recursive: true });
  const { store: settings } = config;
  const store = new LmdbCommitStore(home.state, muStoreNames, {
    upgradesAfter: (height) => storeUpgradesAt(home, muUpgrades, height),
    cacheBytes: stateCacheBytes(config),
    pruning: pruningPlan({
      pruning: settings.pruning,
      keepRecent: settings.pruning_keep_recent,
      interval: settings.pruning_interval,
    }),
    onFailure: (error) => log.error({ error: String(error) }, 'old versions of the state could not be pruned'),
  });
  const { app, signatures, unverified } = createMuNodeApp({
    store,
    minGasPrices: config.node.minimum_gas_prices,
    skipUpgradeHeights: config.node.skip_upgrade_heights.map(BigInt),
    // Cosmovisor starts the next program when the file is there. FinalizeBlock throws right after this; whatever drives
    // the application, the node ends once that was answered.
    onUpgradeNeeded: (plan) => {
      writeUpgradeInfo(home, plan);
      log.error(new UpgradeNeeded(plan).message);
      setImmediate(() => onFailure(new UpgradeNeeded(plan)));
    },
  });
  try {
    requireSameChain(home, app.isInitialized ? app.chain.chainId : undefined);
  } catch (error) {
    void store.close();
    throw error;
  }
  const { threads, forChecks } = threadPlan(config.node.verify_threads);
  const pool = new VerifyPool({
    threads,
    onFailure: (error) => log.warn({ error: error.message }, 'a thread that verifies signatures ended'),
  });
  const queries = answersQueries ? new QueryThread({ home, cacheBytes: queryCacheBytes(config) }) : undefined;
  const snapshots = new SnapshotManager({
    store,
    names: muStoreNames,
    files: new SnapshotFiles(home.snapshots),
    taker: new SnapshotThread({ state: home.state, names: muStoreNames, snapshots: home.snapshots }),
    interval: settings.snapshot_interval,
    keepRecent: settings.snapshot_keep_recent,
    log: log.child({ part: 'snapshots' }),
    onRestored: () => app.reload(),
  });
  const application = new NodeApplication({
    app,
    snapshots,
    preVerifier: threads > 0 ? new PreVerifier({ unverified, pool }) : undefined,
    warmsChecks: forChecks,
    queries,
    settled: () => store.settled(),
    onFailure,
  });
  return {
    application,
    store,
    figures: async () => ({
      ...store.figures,
      oldest: store.oldest,
      caches: {
        decode: app.decodeCache,
        signature: { hits: signatures.remembered, misses: signatures.computed },
        tree_nodes: store.cache,
      },
      snapshot: await snapshots.newest(),
    }),
    async close() {
      await Promise.all([queries?.close(), pool.close(), snapshots.close()]);
      await store.close();
    },
  };
}
