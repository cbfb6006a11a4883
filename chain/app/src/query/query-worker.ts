/** The thread that answers queries: the same application over the same files, reading only. */
import { setTimeout } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { BaseApp } from '@mu/framework/base-app';
import { RequestQuery, ResponseQuery } from 'cosmjs-types/tendermint/abci/types';
import { createMuApp, muStoreNames } from '../mu-app.ts';
import { storeUpgradesAt } from '../node/upgrade.ts';
import { LmdbCommitStore } from '../store/lmdb-store.ts';
import { muUpgrades } from '../upgrades.ts';
import { type Answer, closing, type QueryThreadOptions, type Question, ready } from './query-thread.ts';

const { home, cacheBytes } = workerData as QueryThreadOptions;
const store = new LmdbCommitStore(home.state, muStoreNames, {
  cacheBytes,
  upgradesAfter: (height) => storeUpgradesAt(home, muUpgrades, height),
});
/** Made with the first question: there is a genesis by then. */
let app: BaseApp | undefined;

/** A commit takes milliseconds to reach the files; one that never does ends the node. */
const pauseMs = 1;
const patienceMs = 5_000;

parentPort?.on('message', (question: Question | typeof closing) => {
  if (question === closing) {
    void close();
    return;
  }
  // What was committed since the last question.
  store.refresh();
  if (store.last.height >= question.from) answer(question);
  else void answerLater(question);
});

async function answerLater(question: Question): Promise<void> {
  for (let waitedMs = 0; store.last.height < question.from && waitedMs < patienceMs; waitedMs += pauseMs) {
    await setTimeout(pauseMs);
    store.refresh();
  }
  answer(question);
}

/** All reads of one answer see one version: they are made in one turn. */
function answer({ id, request }: Question): void {
  app ??= createMuApp({ store });
  const response = ResponseQuery.encode(app.query(RequestQuery.decode(request))).finish();
  parentPort?.postMessage({ id, response } satisfies Answer);
}

/** The thread ends by itself: one that is ended while LMDB works for it takes the process with it. */
async function close(): Promise<void> {
  await store.close();
  parentPort?.close();
}

parentPort?.postMessage(ready);
