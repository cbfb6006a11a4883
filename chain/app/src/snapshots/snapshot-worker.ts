/** The thread that takes snapshots: it reads the same files as the node, and the node does nothing for it. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { LmdbCommitStore } from '../store/lmdb-store.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import type { Answer, Order, SnapshotThreadOptions } from './snapshot-thread.ts';
import { takeSnapshot } from './take.ts';

/** Behind whatever else wants a processor. */
const niceness = 10;
/** Each node is read once: nothing is gained by keeping many. */
const cacheBytes = 4 * 1_048_576;

// On Linux a priority is that of the thread that asks; elsewhere it would be the node's.
if (process.platform === 'linux') setPriority(niceness);

const { state, names, snapshots, chunkBytes } = workerData as SnapshotThreadOptions;
const store = new LmdbCommitStore(state, names, { cacheBytes });
const files = new SnapshotFiles(snapshots);

parentPort?.on('message', (height: Order) => {
  store.refresh();
  takeSnapshot({ source: store, files, height, chunkBytes }).then(
    (snapshot) => parentPort?.postMessage({ snapshot } satisfies Answer),
    (error: unknown) => parentPort?.postMessage({ problem: String(error) } satisfies Answer),
  );
});
