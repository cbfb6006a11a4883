/**
 * Counts usage onto the disk and reports it. Every report is on the disk before it is sent, and leaves it when the chain
 * has taken it; what a crash can lose is what was used since the last count.
 */

import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { toEncodeObject } from '@mu/client/chain/registry';
import type { Sender } from '@mu/client/chain/sender';
import { messageOf } from '@mu/lib/error-message';
import { MsgUpdateUsage, type UsageRecord, type UsageReport } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import type { Logger } from 'pino';
import { reach } from '../faults/fault-points.ts';
import type { Journal } from '../journal/journal.ts';
import { Counters, type Quantity } from './counters.ts';
import { addCounts, freshUsage, hasMoved, nextReport, reconciled, taken, type UsageState } from './report.ts';

export interface UsageReporterOptions {
  readonly client: ChainClient;
  readonly sender: Sender;
  readonly journal: Journal;
  readonly nodeId: string;
  readonly sign: (report: UsageReport) => Uint8Array;
  /** Merkle root of the request lines since the last report, 32 bytes */
  readonly takeLogRoot: (lease: bigint) => Uint8Array;
  /** what was used since the last call */
  readonly takeUsage: (lease: bigint, height: bigint) => readonly Quantity[];
  /** what the data plane has counted since it first served the lease */
  readonly totals: (lease: bigint) => readonly Quantity[];
  readonly reportEveryBlocks: bigint;
  /** The chain has taken a report. */
  readonly onReported?: (report: UsageReport) => void;
  readonly log: Logger;
}

export class UsageReporter {
  readonly #options: UsageReporterOptions;
  /** leases whose report is on its way */
  readonly #sending = new Set<bigint>();
  readonly #reconciled = new Set<bigint>();
  /** Taken from who counted it, and not on the disk: it did not take it. */
  readonly #unwritten = new Map<bigint, readonly Quantity[]>();

  constructor(options: UsageReporterOptions) {
    this.#options = options;
  }

  /** Adds what a lease has used to what stands on the disk. @throws Error where it takes nothing; then it is tried again with the next count */
  count(lease: Lease, height: bigint): void {
    const fresh = this.#options.takeUsage(lease.number, height).filter(({ quantity }) => quantity > 0n);
    const used = new Counters([...(this.#unwritten.get(lease.number) ?? []), ...fresh]).items();
    if (used.length > 0) this.#unwritten.set(lease.number, used);
    const totals = this.#options.totals(lease.number);
    const state = this.#state(lease);
    if (used.length === 0 && !hasMoved(state, totals)) return;
    reach('usage.counting');
    this.#options.journal.usage.put(lease.number, addCounts(state, used, totals));
    this.#unwritten.delete(lease.number);
    reach('usage.counted');
  }

  /** Reports a live lease when it is time. */
  async tick(lease: Lease, height: bigint): Promise<void> {
    this.count(lease, height);
    const state = await this.#known(lease);
    if (state.pending === undefined && height - state.toHeight < this.#options.reportEveryBlocks) return;
    this.#report(lease, state, height);
  }

  /** The last report of a lease that has just ended. */
  async finish(lease: Lease): Promise<void> {
    this.count(lease, lease.closedHeight);
    await this.settle(lease);
  }

  /**
   * The last report of a lease that ended while nobody looked: of what stood on the disk by then. What was used since may
   * have been used after its end, and is nobody's to pay.
   */
  async settle(lease: Lease): Promise<void> {
    this.#report(lease, await this.#known(lease), lease.closedHeight);
  }

  /** Leases with usage on the disk: those that have ended still owe a report. */
  owing(): bigint[] {
    return this.#options.journal.usage.keys().map(BigInt);
  }

  #state(lease: Lease): UsageState {
    return this.#options.journal.usage.get(lease.number) ?? freshUsage(lease);
  }

  /** The state in the light of the chain, asked once after a start. */
  async #known(lease: Lease): Promise<UsageState> {
    if (this.#reconciled.has(lease.number)) return this.#state(lease);
    const record = await this.#record(lease);
    const state = this.#state(lease);
    const known = record === undefined ? state : reconciled(state, record);
    if (known !== state) this.#options.journal.usage.put(lease.number, known);
    this.#reconciled.add(lease.number);
    return known;
  }

  /** How far this node's reports have come on the chain; undefined before the first. */
  async #record(lease: Lease): Promise<UsageRecord | undefined> {
    const { records } = await this.#options.client.billing.usage({ lease: lease.number });
    return records.find(({ nodeId }) => nodeId === this.#options.nodeId);
  }

  #report(lease: Lease, state: UsageState, toHeight: bigint): void {
    if (this.#sending.has(lease.number)) return;
    const { journal, nodeId, sign, takeLogRoot } = this.#options;
    const hasUsage = state.pending !== undefined || state.counted.length > 0;
    const logRoot = hasUsage && state.pending === undefined ? takeLogRoot(lease.number) : new Uint8Array(32);
    const report = nextReport(lease, state, { nodeId, logRoot }, toHeight);
    if (report === undefined) {
      if (lease.closedHeight > 0n) journal.usage.delete(lease.number);
      return;
    }
    const pending = state.pending ?? { report, signature: sign(report) };
    reach('report.signed');
    if (state.pending === undefined) journal.usage.put(lease.number, { ...state, counted: [], pending });
    reach('report.written');
    this.#sending.add(lease.number);
    this.#send(lease, pending)
      .catch((error: unknown) =>
        this.#options.log.warn(
          { lease: lease.number.toString(), reason: messageOf(error) },
          'usage report failed, it will be sent again',
        ),
      )
      .finally(() => this.#sending.delete(lease.number));
  }

  async #send(lease: Lease, pending: NonNullable<UsageState['pending']>): Promise<void> {
    const { sender, journal, log } = this.#options;
    const message = toEncodeObject(MsgUpdateUsage, { sender: sender.address, ...pending });
    try {
      const sent = await sender.send([message]);
      reach('report.sent');
      const tx = await sent.committed();
      reach('report.taken');
      log.info(
        { lease: lease.number.toString(), sequence: pending.report.sequence.toString(), height: tx.height },
        'usage reported',
      );
      this.#options.onReported?.(pending.report);
    } catch (error) {
      if (!(error instanceof ChainError) || error.codespace !== 'billing') throw error;
      const record = await this.#record(lease);
      if (record?.sequence !== pending.report.sequence) {
        // The chain will never take this report: keeping it would block every later one.
        log.error(
          { lease: lease.number.toString(), code: error.code, reason: error.message },
          'usage report refused, it is dropped',
        );
        const left = { ...this.#state(lease), pending: undefined };
        journal.usage.put(lease.number, record === undefined ? left : reconciled(left, record));
        return;
      }
      // It was taken before, and only the answer was lost.
    }
    journal.usage.put(lease.number, taken(this.#state(lease)));
  }
}
