/** The real application over a store: blocks as an engine makes them, crashes, restarts, export and import. */
import { createMuApp, muStoreNames } from '@mu/app/mu-app';
import type { BaseApp } from '@mu/framework/base-app';
import type { Json } from '@mu/framework/module';
import type { CommitInfo } from '@mu/framework/store/commit-store';
import type { Change } from '@mu/framework/store/kv-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { toHex, utf8 } from '@mu/lib/bytes';
import {
  type ExecTxResult,
  RequestFinalizeBlock,
  RequestInitChain,
  RequestPrepareProposal,
  RequestProcessProposal,
} from 'cosmjs-types/tendermint/abci/types';

/** A store that remembers what the last block changed. */
class WatchedStore extends MemoryCommitStore {
  changes: readonly Change[] = [];

  override commit(height: bigint, changes: readonly Change[], note?: Uint8Array): CommitInfo {
    this.changes = changes;
    return super.commit(height, changes, note);
  }
}

export interface Genesis {
  readonly chainId: string;
  readonly initialHeight: bigint;
  readonly state: { readonly [module: string]: Json };
}

/** A block as it was executed. */
export interface Executed {
  readonly appHash: string;
  /** of the users' transactions, in their order */
  readonly results: readonly ExecTxResult[];
  /** what the block began with; undefined: with nothing */
  readonly first: { readonly tx: Uint8Array; readonly result: ExecTxResult } | undefined;
}

const maxTxBytes = 4_194_304n;
/** Seconds of the first block, and between blocks where nothing is said. */
const epochSeconds = 1_800_000_000n;

export class RealChain {
  #invariants: boolean;
  #store: WatchedStore;
  #app: BaseApp;
  #seconds = epochSeconds;
  /** until the first commit: before it nothing is in the store, and a node that starts is given its genesis again */
  #genesis: Genesis | undefined;

  constructor(genesis: Genesis, invariants: boolean) {
    this.#invariants = invariants;
    this.#store = new WatchedStore(muStoreNames);
    this.#app = this.#open();
    this.#init(genesis);
  }

  /** What the last committed block touched. */
  get changes(): readonly Change[] {
    return this.#store.changes;
  }

  /** All pairs of a store as committed. */
  pairs(store: string): IterableIterator<[Uint8Array, Uint8Array]> {
    return this.#store.store(store).iterate();
  }

  #open(): BaseApp {
    return createMuApp({ store: this.#store, checkInvariants: this.#invariants });
  }

  #init(genesis: Genesis): void {
    const { chainId, initialHeight, state } = genesis;
    this.#genesis = genesis;
    const appStateBytes = utf8(JSON.stringify(state));
    this.#app.initChain(RequestInitChain.fromPartial({ chainId, initialHeight, appStateBytes }));
  }

  /** Lets time pass before the next block. */
  wait(seconds: bigint): void {
    this.#seconds += seconds;
  }

  /** Proposes, accepts and executes a block; nothing is committed yet. */
  execute(height: bigint, txs: readonly Uint8Array[]): Executed {
    const time = { seconds: this.#seconds, nanos: 0 };
    const proposal = this.#app.prepareProposal(
      RequestPrepareProposal.fromPartial({ height, txs: [...txs], maxTxBytes, time }),
    );
    const { status } = this.#app.processProposal(
      RequestProcessProposal.fromPartial({ height, txs: proposal.txs, time }),
    );
    if (status !== 1) throw new Error(`the proposal of block ${height} is refused`);
    const done = this.#app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height, txs: proposal.txs, time }));
    const extra = proposal.txs.length - txs.length;
    if (extra !== 0 && extra !== 1) throw new Error(this.#whyLeftOut(txs));
    const first =
      extra === 0 ? undefined : { tx: proposal.txs[0] as Uint8Array, result: done.txResults[0] as ExecTxResult };
    return { appHash: toHex(done.appHash), results: done.txResults.slice(extra), first };
  }

  /** What the decoder says of those that a proposal leaves out. */
  #whyLeftOut(txs: readonly Uint8Array[]): string {
    const reasons = txs.flatMap((raw, at) => {
      try {
        this.#app.decode(raw, this.#app.chain);
        return [];
      } catch (error) {
        return [`transaction ${at} is left out: ${(error as Error).message}`];
      }
    });
    return reasons.join('; ') || 'the proposal has another number of transactions';
  }

  commit(): void {
    this.#app.commit();
    this.#genesis = undefined;
    this.#seconds += 1n;
  }

  /**
   * A new application over the same store: what was executed and not committed is gone.
   * @param invariants whether it checks them after each block
   */
  restart(invariants: boolean): void {
    this.#invariants = invariants;
    this.#app = this.#open();
    if (this.#genesis !== undefined) this.#init(this.#genesis);
  }

  export(): { readonly [module: string]: Json } {
    return this.#app.exportState();
  }

  /** A new chain that goes on from this one's export. @returns the difference between the two exports, if there is one */
  moveOn(chainId: string, initialHeight: bigint): string | undefined {
    const state = this.export();
    this.#store = new WatchedStore(muStoreNames);
    this.#app = this.#open();
    this.#init({ chainId, initialHeight, state });
    const [before, after] = [state, this.export()];
    return Object.keys(before).find((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  }
}
