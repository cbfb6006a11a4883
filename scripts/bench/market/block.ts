/** One block through the whole application, as an engine drives it, with what each part took. */
import type { LmdbCommitStore } from '@mu/app/store/lmdb-store';
import type { BaseApp } from '@mu/framework/base-app';
import type { BlockPhase } from '@mu/framework/block-executor';
import {
  CheckTxType,
  type ExecTxResult,
  RequestFinalizeBlock,
  RequestPrepareProposal,
} from 'cosmjs-types/tendermint/abci/types';
import { requireSuccess } from '../in-process.ts';
import type { BenchTx } from './traffic.ts';

/** Milliseconds of a block. */
export interface BlockTimes extends Record<BlockPhase, number> {
  readonly check: number;
  /** what the block must begin with, and what of the rest fits */
  readonly prepare: number;
  readonly commit: number;
  /** from the commit until the block is in the files, which the next block does not wait for */
  readonly write: number;
  /** processor time of this thread: other programs share the machine */
  readonly cpu: Record<BlockPhase, number>;
}

export interface BlockDone {
  readonly times: BlockTimes;
  /** of the transactions, behind the one that the block began with */
  readonly results: readonly ExecTxResult[];
  /** how often each event happened */
  readonly events: ReadonlyMap<string, number>;
}

const phases: readonly BlockPhase[] = ['due', 'begin', 'system', 'users', 'end', 'trees', 'answer'];

interface PhaseTimes {
  readonly wall: Record<BlockPhase, number>;
  readonly cpu: Record<BlockPhase, number>;
}

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

/** Told of the phases by the application, it knows how long each took. */
export class PhaseClock {
  #at: BlockPhase | undefined;
  #since = { wall: 0, cpu: 0 };
  #times = noTime();

  readonly onPhase = (phase: BlockPhase): void => {
    this.#leave();
    this.#at = phase;
    const cpu = cpuMs();
    this.#since = { cpu, wall: performance.now() };
  };

  /** Milliseconds of each phase since the last time. */
  take(): PhaseTimes {
    this.#leave();
    const taken = this.#times;
    this.#at = undefined;
    this.#times = noTime();
    return taken;
  }

  #leave(): void {
    if (this.#at === undefined) return;
    this.#times.wall[this.#at] = performance.now() - this.#since.wall;
    this.#times.cpu[this.#at] = cpuMs() - this.#since.cpu;
  }
}

function noTime(): PhaseTimes {
  const none = (): Record<BlockPhase, number> =>
    Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<BlockPhase, number>;
  return { wall: none(), cpu: none() };
}

export interface BenchChain {
  readonly app: BaseApp;
  readonly store: LmdbCommitStore;
  readonly clock: PhaseClock;
}

/** Room for whatever a run puts into a block. */
const maxTxBytes = 100_000_000n;

/** @throws Error when a transaction fails */
export async function runBlock(chain: BenchChain, height: bigint, txs: readonly BenchTx[]): Promise<BlockDone> {
  const { app, store, clock } = chain;
  const raws = txs.map(({ raw }) => raw);
  const start = performance.now();
  requireSuccess(raws.map((tx) => app.checkTx({ tx, type: CheckTxType.NEW })));
  const checked = performance.now();
  const proposal = app.prepareProposal(RequestPrepareProposal.fromPartial({ height, txs: raws, maxTxBytes }));
  const prepared = performance.now();
  const { txResults } = app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height, txs: proposal.txs }));
  const { wall, cpu } = clock.take();
  const finalized = performance.now();
  app.commit();
  const committed = performance.now();
  await store.settled();
  const write = performance.now() - committed;
  requireSuccess(txResults);
  const [check, prepare, commit] = [checked - start, prepared - checked, committed - finalized];
  const times = { ...wall, check, prepare, commit, write, cpu };
  return { times, results: txResults.slice(txResults.length - raws.length), events: countEvents(txResults) };
}

function countEvents(results: readonly ExecTxResult[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { events } of results) {
    for (const { type } of events) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return counts;
}
