/** The thread that answers queries: the same application over the same files, reading only. */
import { parentPort, workerData } from 'node:worker_threads';
import type { BaseApp } from '@mu/framework/base-app';
import { RequestQuery, ResponseQuery } from 'cosmjs-types/tendermint/abci/types';
import { createMuApp, muStoreNames } from '../mu-app.ts';
import { LmdbCommitStore } from '../store/lmdb-store.ts';
import { type Answer, type QueryThreadOptions, type Question, ready } from './query-thread.ts';

const { state, cacheBytes } = workerData as QueryThreadOptions;
const store = new LmdbCommitStore(state, muStoreNames, { cacheBytes });
/** Made with the first question: there is a genesis by then. */
let app: BaseApp | undefined;

parentPort?.on('message', ({ id, request }: Question) => {
  // What was committed since the last question; all reads of one answer see one version.
  store.refresh();
  app ??= createMuApp({ store });
  const response = ResponseQuery.encode(app.query(RequestQuery.decode(request))).finish();
  parentPort?.postMessage({ id, response } satisfies Answer);
});

parentPort?.postMessage(ready);
