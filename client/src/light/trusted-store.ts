/** Blocks that have been verified. What is in here is trusted, so it is kept where only its owner writes. */
import { messageOf } from '@mu/lib/error-message';
import { LightError } from './errors.ts';
import { checkLightBlock, decodeLightBlock, encodeLightBlock, type LightBlock } from './light-block.ts';

export interface TrustedStore {
  /**
   * Opens the store for a root of trust. Blocks that were verified from another root are dropped.
   * @param anchor the root of trust as a text
   */
  open(anchor: string): Promise<void>;
  /** heights of the blocks, ascending */
  heights(): readonly bigint[];
  /** @throws LightError of kind store when the block is damaged */
  at(height: bigint): Promise<LightBlock | undefined>;
  save(block: LightBlock): Promise<void>;
  /** Drops the oldest blocks, but never the first one, until so many are left. */
  prune(keep: number): Promise<void>;
}

/** The greatest height below this one. */
export function heightBefore(store: TrustedStore, height: bigint): bigint | undefined {
  return store.heights().findLast((known) => known < height);
}

/** The lowest height above this one. */
export function heightAfter(store: TrustedStore, height: bigint): bigint | undefined {
  return store.heights().find((known) => known > height);
}

/** Which heights `prune` drops. */
export function heightsToPrune(heights: readonly bigint[], keep: number): readonly bigint[] {
  return heights.slice(1, Math.max(1, heights.length - Math.max(keep, 2) + 1));
}

/** Forgets with the process. */
export class MemoryTrustedStore implements TrustedStore {
  #anchor: string | undefined;
  #heights: bigint[] = [];
  readonly #blocks = new Map<bigint, Uint8Array>();

  async open(anchor: string): Promise<void> {
    if (this.#anchor !== anchor) {
      this.#blocks.clear();
      this.#heights = [];
    }
    this.#anchor = anchor;
  }

  heights(): readonly bigint[] {
    return this.#heights;
  }

  async at(height: bigint): Promise<LightBlock | undefined> {
    const bytes = this.#blocks.get(height);
    return bytes === undefined ? undefined : decodeLightBlock(bytes);
  }

  async save(block: LightBlock): Promise<void> {
    const { height } = block.header;
    this.#blocks.set(height, encodeLightBlock(block));
    this.#heights = [...this.#blocks.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  }

  async prune(keep: number): Promise<void> {
    for (const height of heightsToPrune(this.#heights, keep)) this.#blocks.delete(height);
    this.#heights = this.#heights.filter((height) => this.#blocks.has(height));
  }
}

/** A stored block again. @throws LightError of kind store with what to do */
export function readStoredBlock(bytes: Uint8Array, height: bigint, chainId: string, place: string): LightBlock {
  try {
    const block = decodeLightBlock(bytes);
    checkLightBlock(block, chainId);
    if (block.header.height !== height) throw new Error(`it is of height ${block.header.height}`);
    return block;
  } catch (error) {
    const reason = messageOf(error);
    throw new LightError(`${place} is damaged (${reason}): delete it, what it holds is verified anew`, {
      kind: 'store',
      height,
      cause: error,
    });
  }
}
