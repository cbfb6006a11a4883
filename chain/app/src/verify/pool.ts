/** Threads that verify signatures beside the node's own. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { batchAnswers, type DigestClaim, packBatch } from './batch.ts';

/** Whatever verifies batches: the threads, or a test's own. */
export interface BatchVerifier {
  /** How many batches can be worked on at once; 0: nothing is gained by asking. */
  readonly width: number;
  /** Whether each is right. Never rejects: what could not be verified is answered with false. */
  verify(claims: readonly DigestClaim[]): Promise<readonly boolean[]>;
  close(): Promise<void>;
}

interface Job {
  readonly batch: ArrayBuffer;
  readonly count: number;
  readonly done: (answers: readonly boolean[]) => void;
}

/** One thread with what it was handed, oldest first: it answers in order. */
interface Thread {
  readonly worker: Worker;
  readonly jobs: Job[];
  claims: number;
}

export interface PoolOptions {
  readonly threads: number;
  /** told when a thread fails; the pool goes on without it */
  readonly onFailure?: (error: Error) => void;
  /** the thread's program, for tests of failures */
  readonly program?: URL;
}

export class VerifyPool implements BatchVerifier {
  readonly #threads: Thread[];
  readonly #onFailure: (error: Error) => void;
  #closing = false;

  constructor({ threads, onFailure, program }: PoolOptions) {
    this.#onFailure = onFailure ?? (() => undefined);
    this.#threads = Array.from({ length: threads }, () =>
      this.#start(program ?? new URL('./worker.ts', import.meta.url)),
    );
  }

  get width(): number {
    return this.#threads.length;
  }

  verify(claims: readonly DigestClaim[]): Promise<readonly boolean[]> {
    const thread = this.#leastBusy();
    const count = claims.length;
    if (thread === undefined || count === 0) return Promise.resolve(claims.map(() => false));
    return new Promise((done) => {
      const batch = packBatch(claims);
      thread.jobs.push({ batch, count, done });
      thread.claims += count;
      // Whoever waits for an answer must get it before the process may end.
      thread.worker.ref();
      thread.worker.postMessage(batch, [batch]);
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    const threads = this.#threads.splice(0);
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
    for (const thread of threads) giveUp(thread);
  }

  #leastBusy(): Thread | undefined {
    let least: Thread | undefined;
    for (const thread of this.#threads) if (least === undefined || thread.claims < least.claims) least = thread;
    return least;
  }

  #start(program: URL): Thread {
    const worker = new Worker(program, { name: 'verify' });
    // A node that has nothing else to do may end.
    worker.unref();
    const thread: Thread = { worker, jobs: [], claims: 0 };
    worker.on('message', (batch: ArrayBuffer) => {
      const job = thread.jobs.shift();
      if (job === undefined) return;
      thread.claims -= job.count;
      if (thread.jobs.length === 0) worker.unref();
      job.done(batchAnswers(batch, job.count));
    });
    const fail = (error: Error): void => {
      const at = this.#threads.indexOf(thread);
      if (at < 0 || this.#closing) return;
      this.#threads.splice(at, 1);
      giveUp(thread);
      this.#onFailure(error);
    };
    worker.on('error', fail);
    worker.on('messageerror', fail);
    worker.on('exit', (code) => fail(new Error(`a thread that verifies signatures ended with code ${code}`)));
    return thread;
  }
}

/** What a thread has not answered counts as not verified: whoever needs it verifies it in place. */
function giveUp(thread: Thread): void {
  for (const { count, done } of thread.jobs.splice(0)) done(new Array<boolean>(count).fill(false));
}

/** How threads are used. */
export interface ThreadPlan {
  readonly threads: number;
  /** whether they verify for CheckTx, or only where a block brings what nobody here has seen */
  readonly forChecks: boolean;
}

/**
 * What the config means. A signature costs 7 to 20 % more processor time on another thread, so for the checks threads are
 * worth it where there is a processor for them beside those of the engine and the application; a block that nobody has
 * checked (block sync, replay) keeps both waiting, and any second processor helps.
 * @param configured -1: none; 0: what fits the machine; else so many
 */
export function threadPlan(configured: number, processors: number = availableParallelism()): ThreadPlan {
  if (configured > 0) return { threads: configured, forChecks: true };
  if (configured < 0 || processors < 2) return { threads: 0, forChecks: false };
  return { threads: Math.max(1, processors - 2), forChecks: processors > 2 };
}
