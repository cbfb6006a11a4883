/**
 * Verifies signatures of transactions before the application, which is synchronous, looks at them: threads compute, and
 * what is right goes into the memory of the application's verifier. The application finds it there; what it does not
 * find it verifies in place. So its answers are the same with threads, without them, and when one of them dies.
 */
import { setImmediate } from 'node:timers/promises';
import { type UnverifiedClaim, verifyDigest } from '@mu/x-auth/signatures';
import type { BatchVerifier } from './pool.ts';

export interface PreVerifierOptions {
  /** The signatures of these transactions that are not known to be right; none of what does not decode. Never throws. */
  readonly unverified: (txs: readonly Uint8Array[]) => readonly UnverifiedClaim[];
  readonly pool: BatchVerifier;
}

/** From so many transactions on a message to a thread costs less than what it saves. */
const worthwhile = 4;
/** So many go to a thread in one message; while one is worked on the next waits in the thread's queue. */
const batchSize = 64;
/** So many are verified in place before other work gets its turn. */
const sliceSize = 32;

export class PreVerifier {
  readonly #options: PreVerifierOptions;
  /** by id of the claim, what is being worked on */
  readonly #running = new Map<string, Promise<void>>();
  #computed = 0;

  constructor(options: PreVerifierOptions) {
    this.#options = options;
  }

  /** How many signatures were verified beforehand, for metrics. */
  get computed(): number {
    return this.#computed;
  }

  /**
   * Resolves when all signatures of the transactions that can be verified beforehand are. Never rejects.
   * @param share whether this thread, which has nothing else to do until then, takes its part of the work
   */
  async warm(txs: readonly Uint8Array[], share = false): Promise<void> {
    const { width } = this.#options.pool;
    if (width === 0 || txs.length < worthwhile) return;
    const waits = new Set<Promise<void>>();
    const fresh = new Map<string, UnverifiedClaim>();
    for (const claim of this.#options.unverified(txs)) {
      const running = this.#running.get(claim.id);
      if (running === undefined) fresh.set(claim.id, claim);
      else waits.add(running);
    }
    if (fresh.size > 0) {
      const claims = [...fresh.values()];
      const own = share ? Math.floor(claims.length / (width + 1)) : 0;
      for (const batch of batches(claims.slice(own), width)) waits.add(this.#send(batch));
      await this.#inPlace(claims.slice(0, own));
    }
    if (waits.size > 0) await Promise.all(waits);
  }

  #send(batch: readonly UnverifiedClaim[]): Promise<void> {
    const done = this.#options.pool.verify(batch).then((answers) => {
      batch.forEach(({ id, accept }, index) => {
        this.#running.delete(id);
        if (answers[index] === true) accept();
      });
      this.#computed += batch.length;
    });
    for (const { id } of batch) this.#running.set(id, done);
    return done;
  }

  async #inPlace(claims: readonly UnverifiedClaim[]): Promise<void> {
    for (let at = 0; at < claims.length; at += sliceSize) {
      for (const { key, digest, signature, accept } of claims.slice(at, at + sliceSize)) {
        if (verifyDigest(key, digest, signature)) accept();
        this.#computed += 1;
      }
      await setImmediate();
    }
  }
}

/** Parts for the threads: an equal one for each where there is little, else of a size that keeps all of them busy. */
function* batches(claims: readonly UnverifiedClaim[], width: number): IterableIterator<readonly UnverifiedClaim[]> {
  const size = Math.max(1, Math.min(batchSize, Math.ceil(claims.length / width)));
  for (let at = 0; at < claims.length; at += size) yield claims.slice(at, at + size);
}
