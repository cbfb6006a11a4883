/** Transactions that wait for a block, first in, first out, as CometBFT 0.38's mempool treats them. */

import type { Application } from '@mu/abci/application';
import { toHex } from '@mu/lib/bytes';
import { CheckTxType, type ExecTxResult, type ResponseCheckTx } from 'cosmjs-types/tendermint/abci/types';
import { txHash, txSizeInBlock } from './block.ts';

/** Bounds of the pool; CometBFT's defaults. */
export interface MempoolLimits {
  /** Transactions. */
  size: number;
  /** Bytes of all transactions. */
  maxTxsBytes: number;
  /** Bytes of one transaction. */
  maxTxBytes: number;
  /** Hashes remembered of transactions seen. */
  cacheSize: number;
}

export const defaultMempoolLimits: MempoolLimits = {
  size: 5000,
  maxTxsBytes: 1_073_741_824,
  maxTxBytes: 1_048_576,
  cacheSize: 10_000,
};

/** A transaction that the pool does not take, with CometBFT's text. */
export class MempoolError extends Error {
  override readonly name = 'MempoolError';
}

/** What the next block allows. */
export interface BlockLimits {
  /** Bytes of transactions with their framing. */
  maxDataBytes: bigint;
  /** Below zero for no limit. */
  maxGas: bigint;
}

interface Waiting {
  tx: Uint8Array;
  gasWanted: bigint;
}

export class Mempool {
  readonly #app: Application;
  readonly #limits: MempoolLimits;
  readonly #waiting = new Map<string, Waiting>();
  /** In the order they were last seen; the oldest is forgotten first. */
  readonly #seen = new Set<string>();
  readonly #onAvailable: () => void;
  #bytes = 0;
  /** What the application was asked about and has not answered. */
  readonly #asked = { count: 0, bytes: 0 };
  /** The last task that nothing may run beside. */
  #exclusive: Promise<unknown> = Promise.resolve();
  /** The checks that came after it. */
  #checks: Promise<unknown> = Promise.resolve();
  #blockLimits: BlockLimits;

  /** @param onAvailable called whenever a transaction was added */
  constructor(app: Application, limits: MempoolLimits, blockLimits: BlockLimits, onAvailable: () => void) {
    this.#app = app;
    this.#limits = limits;
    this.#blockLimits = blockLimits;
    this.#onAvailable = onAvailable;
  }

  /** Transactions waiting. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Asks the application and keeps the transaction when it accepts. The application is asked about the next one before it
   * has answered: it checks in the order in which it is asked, as over a socket, and may take several together. Only while
   * a block is committed nothing is asked: an application's check state is one state.
   * @throws MempoolError when the pool is full, the transaction too large or seen already
   */
  check(tx: Uint8Array): Promise<ResponseCheckTx> {
    const result = this.#exclusive.then(() => this.#check(tx));
    this.#checks = Promise.allSettled([this.#checks, result]);
    return result;
  }

  /** Runs a task while nobody checks a transaction. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = Promise.all([this.#exclusive, this.#checks]).then(task);
    this.#exclusive = result.catch(() => undefined);
    this.#checks = Promise.resolve();
    return result;
  }

  /** The transactions that fit into a block, oldest first. */
  reap({ maxDataBytes, maxGas }: BlockLimits): Uint8Array[] {
    const txs: Uint8Array[] = [];
    let bytes = 0n;
    let gas = 0n;
    for (const { tx, gasWanted } of this.#waiting.values()) {
      bytes += BigInt(txSizeInBlock(tx));
      gas += gasWanted;
      if (bytes > maxDataBytes || (maxGas >= 0n && gas > maxGas)) break;
      txs.push(tx);
    }
    return txs;
  }

  /** The oldest waiting transactions, at most so many. */
  list(limit: number): Uint8Array[] {
    const txs: Uint8Array[] = [];
    for (const { tx } of this.#waiting.values()) {
      if (txs.length >= limit) break;
      txs.push(tx);
    }
    return txs;
  }

  /**
   * Removes what a block contains and asks the application about the rest again. The caller holds the pool by
   * `exclusively`, from before the application's commit.
   */
  async update(txs: readonly Uint8Array[], results: readonly ExecTxResult[], blockLimits: BlockLimits): Promise<void> {
    this.#blockLimits = blockLimits;
    txs.forEach((tx, index) => {
      const name = nameOf(tx);
      // A failed transaction may be sent again; one that succeeded is remembered.
      if (results[index]!.code === 0) this.#remember(name);
      else this.#seen.delete(name);
      this.#remove(name);
    });
    const waiting = [...this.#waiting];
    const answers = waiting.map(([, { tx }]) => this.#app.checkTx({ tx, type: CheckTxType.RECHECK }));
    (await Promise.all(answers)).forEach((response, index) => {
      if (response.code === 0 && this.#gasProblem(response) === undefined) return;
      const [name] = waiting[index] as [string, Waiting];
      this.#remove(name);
      this.#seen.delete(name);
    });
  }

  async #check(tx: Uint8Array): Promise<ResponseCheckTx> {
    this.#refuseWhenFull(tx);
    const { maxTxBytes } = this.#limits;
    if (tx.length > maxTxBytes) throw new MempoolError(`Tx too large. Max size is ${maxTxBytes}, but got ${tx.length}`);
    const { maxDataBytes } = this.#blockLimits;
    if (BigInt(txSizeInBlock(tx)) > maxDataBytes) {
      throw new MempoolError(`tx pre check: tx size is too big: ${txSizeInBlock(tx)}, max: ${maxDataBytes}`);
    }
    const name = nameOf(tx);
    if (this.#seen.has(name)) {
      this.#remember(name);
      throw new MempoolError('tx already exists in cache');
    }
    this.#remember(name);
    const response = await this.#ask(tx, name);
    if (response.code !== 0) {
      this.#seen.delete(name);
      return response;
    }
    const problem = this.#gasProblem(response);
    if (problem !== undefined) {
      this.#seen.delete(name);
      throw new MempoolError(problem);
    }
    this.#waiting.set(name, { tx, gasWanted: response.gasWanted });
    this.#bytes += tx.length;
    this.#onAvailable();
    return response;
  }

  async #ask(tx: Uint8Array, name: string): Promise<ResponseCheckTx> {
    this.#asked.count += 1;
    this.#asked.bytes += tx.length;
    try {
      return await this.#app.checkTx({ tx, type: CheckTxType.NEW });
    } catch (error) {
      this.#seen.delete(name);
      throw error;
    } finally {
      this.#asked.count -= 1;
      this.#asked.bytes -= tx.length;
    }
  }

  #refuseWhenFull(tx: Uint8Array): void {
    const { size, maxTxsBytes } = this.#limits;
    const { count, bytes } = this.#asked;
    if (this.#waiting.size + count >= size || this.#bytes + bytes + tx.length > maxTxsBytes) {
      throw new MempoolError(
        `mempool is full: number of txs ${this.#waiting.size} (max: ${size}), total txs bytes ${this.#bytes} (max: ${maxTxsBytes})`,
      );
    }
  }

  /** Why a transaction that the application accepts can be in no block. CometBFT drops such a one without a word. */
  #gasProblem({ gasWanted }: ResponseCheckTx): string | undefined {
    const { maxGas } = this.#blockLimits;
    if (maxGas < 0n) return undefined;
    if (gasWanted < 0n) return `tx post check: gas wanted ${gasWanted} is negative`;
    return gasWanted > maxGas ? `tx post check: gas wanted ${gasWanted} is greater than max gas ${maxGas}` : undefined;
  }

  #remember(name: string): void {
    this.#seen.delete(name);
    this.#seen.add(name);
    if (this.#seen.size <= this.#limits.cacheSize) return;
    const [oldest] = this.#seen;
    if (oldest !== undefined) this.#seen.delete(oldest);
  }

  #remove(name: string): void {
    const known = this.#waiting.get(name);
    if (known === undefined) return;
    this.#waiting.delete(name);
    this.#bytes -= known.tx.length;
  }
}

function nameOf(tx: Uint8Array): string {
  return toHex(txHash(tx));
}
