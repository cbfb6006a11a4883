/** What a driver hands to whoever started it. */
import type { Addresses } from './addresses.ts';

export interface RunningNode {
  /** where it listens */
  readonly addresses: Addresses;
  /** Ends after the block that is being made. */
  stop(): Promise<void>;
  /** Rejects when the node can make no more blocks. */
  readonly failed: Promise<never>;
}
