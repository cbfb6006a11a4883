/** Looks for manifests that stand sealed on the chain, so many at a time: each look waits for the block that proves it. */
import { messageOf } from '@mu/lib/error-message';
import type { Logger } from 'pino';
import type { ManifestRecord } from '../manifests/manifest-store.ts';

export interface SealedLooksOptions {
  /** Takes a manifest that stands sealed on the chain, where there is one for this provider that is not held yet. */
  readonly takeSealed: (owner: string, dseq: bigint) => Promise<ManifestRecord | undefined>;
  readonly onTaken: (record: ManifestRecord) => void;
  readonly log: Logger;
}

/** So many looks are under way at a time. */
export const maxLooks = 16;

export class SealedLooks {
  readonly #options: SealedLooksOptions;
  readonly #lanes: Promise<void>[] = Array.from({ length: maxLooks }, () => Promise.resolve());
  #next = 0;

  constructor(options: SealedLooksOptions) {
    this.#options = options;
  }

  /** Looks for a deployment's when its turn comes. Nobody waits for it; what cannot be taken is logged. */
  look(owner: string, dseq: bigint): void {
    const at = this.#next;
    this.#next = (at + 1) % maxLooks;
    this.#lanes[at] = (this.#lanes[at] as Promise<void>).then(() => this.#take(owner, dseq));
  }

  /** Waits for all looks that were asked for. */
  async settled(): Promise<void> {
    await Promise.all(this.#lanes);
  }

  async #take(owner: string, dseq: bigint): Promise<void> {
    const { takeSealed, onTaken, log } = this.#options;
    try {
      const record = await takeSealed(owner, dseq);
      if (record === undefined) return;
      log.info({ owner, dseq: dseq.toString() }, 'took the manifest that is sealed on the chain');
      onTaken(record);
    } catch (error) {
      // Its user may still hand it over; until then the lease waits, and its provider may leave for want of it.
      const reason = messageOf(error);
      log.warn({ owner, dseq: dseq.toString(), reason }, 'the sealed manifest on the chain is not usable');
    }
  }
}
