/** Where light blocks come from: a node that may lie. */
import type { LightBlock } from './light-block.ts';

export interface BlockSource {
  /** for people: the address of the node */
  readonly name: string;
  /**
   * The block of this height, of the latest where none is given. Its parts belong together; that it is the chain's is not
   * known yet.
   * @throws LightError named after this source: unavailable, no_block, height_too_high, malformed, wrong_answer, bad_block
   */
  lightBlock(height?: bigint): Promise<LightBlock>;
}
