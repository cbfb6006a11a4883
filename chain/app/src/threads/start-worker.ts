/** Starts the thread of the application before its caller has loaded what it needs itself: both take their time. */
import { Worker } from 'node:worker_threads';
import type { NodeConfig } from '../node/config.ts';
import type { Home } from '../node/home.ts';

export interface ApplicationThreadData {
  readonly home: Home;
  readonly config: NodeConfig;
}

/** A thread that opens the state; whoever talks to it may come later. */
export interface StartedWorker {
  readonly worker: Worker;
  /** Resolves when the application is open; rejects with what is wrong with the state. */
  readonly opened: Promise<void>;
  /** Resolves with the reason when the thread has ended. */
  readonly ended: Promise<Error>;
}

/** The data folder is this process's by now: the thread opens the state at once. */
export function startApplicationWorker(data: ApplicationThreadData): StartedWorker {
  const worker = new Worker(new URL('./application-worker.ts', import.meta.url), {
    workerData: data,
    name: 'application',
    // Most of what a block makes lives until its end: with room for it the collector copies little.
    resourceLimits: { maxYoungGenerationSizeMb: 192, maxOldGenerationSizeMb: 8192 },
  });
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<Error>();
  worker.once('message', () => opened.resolve());
  worker.once('error', (error: unknown) => ended.resolve(error instanceof Error ? error : new Error(String(error))));
  worker.once('exit', () => ended.resolve(new Error('the thread of the application ended')));
  void ended.promise.then(opened.reject);
  // Who waits for it learns of a failure; it may come before anybody does.
  opened.promise.catch(() => undefined);
  return { worker, opened: opened.promise, ended: ended.promise };
}
