/** What happened since the daemon began, counted where it happens: starts of workloads, transactions, ends of instances. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { type Sender, type SentTx, TxPendingError } from '@mu/client/chain/sender';
import { ManifestError } from '@mu/client/manifest/errors';
import type { LeaseRunner } from '../leases/lease-runner.ts';
import { Refusal } from '../manifests/refusal.ts';
import { type InstanceStatus, WorkloadError, type WorkloadFailure } from '../workloads/driver.ts';
import { type Ends, endsBetween } from './ends.ts';
import { watchCalls } from './watch-calls.ts';

/** Why workloads did not start: the driver's reason, `manifest` where it is not usable, or `other`. */
export type StartFailure = WorkloadFailure | 'manifest' | 'other';
/** `refused`: by the node, before a block; `failed`: in its block; `pending`: not known yet when it was no longer waited for. */
export type TxResult = 'committed' | 'failed' | 'refused' | 'pending';

/** Codespace and code of an account sequence that is not the next one. */
const wrongSequence = { codespace: 'sdk', code: 32 };

export interface Watched {
  readonly runner: Pick<LeaseRunner, 'start'>;
  readonly sender: Pick<Sender, 'send'>;
  readonly client: Pick<ChainClient, 'simulate' | 'comet'>;
}

export class Tallies {
  readonly starts = { done: 0, failed: new Map<StartFailure, number>() };
  readonly transactions: Record<TxResult, number> = { committed: 0, failed: 0, refused: 0, pending: 0 };
  /** answers that the sequence of a transaction was not the next one; the sender asks anew after each */
  sequenceResyncs = 0;
  restarts = 0;
  memoryKills = 0;
  /** how workloads stood when they were looked at last */
  readonly #stood = new WeakMap<object, readonly InstanceStatus[]>();

  /** @param of what the daemon works with; each is looked at from outside */
  watch({ runner, sender, client }: Watched): void {
    this.#watchStarts(runner);
    this.#watchSender(sender);
    this.#watchSequence(client);
  }

  /** How the containers of a lease stand now: those that have begun again since the last look are counted. */
  look(containers: ReadonlyMap<string, { status(): readonly InstanceStatus[] }>): void {
    for (const workload of containers.values()) {
      const now = workload.status();
      // What ended before it was seen first is not counted again after a restart of the daemon.
      const { restarts, memoryKills }: Ends = endsBetween(this.#stood.get(workload) ?? now, now);
      this.#stood.set(workload, now);
      this.restarts += restarts;
      this.memoryKills += memoryKills;
    }
  }

  #watchStarts(runner: Pick<LeaseRunner, 'start'>): void {
    watchCalls(runner, 'start', {
      done: () => {
        this.starts.done += 1;
      },
      failed: (error) => {
        const reason = startFailureOf(error);
        this.starts.failed.set(reason, (this.starts.failed.get(reason) ?? 0) + 1);
      },
    });
  }

  /** The sender's `sendAndWait` goes through its `send`, so this sees all of its transactions. */
  #watchSender(sender: Pick<Sender, 'send'>): void {
    watchCalls(sender, 'send', {
      done: (sent) => this.#watchSent(sent),
      failed: () => {
        this.transactions.refused += 1;
      },
    });
  }

  /** Others who use the client never sign. */
  #watchSequence(client: Pick<ChainClient, 'simulate' | 'comet'>): void {
    watchCalls(client, 'simulate', {
      failed: (error) => {
        if (error instanceof ChainError) this.#answered(error);
      },
    });
    watchCalls(client.comet, 'broadcastTxSync', { done: (answer) => this.#answered(answer) });
  }

  #answered({ codespace, code }: { readonly codespace?: string | undefined; readonly code: number }): void {
    if (codespace === wrongSequence.codespace && code === wrongSequence.code) this.sequenceResyncs += 1;
  }

  /** One transaction counts once, however many wait for it. */
  #watchSent(sent: SentTx): void {
    let counted = false;
    const count = (result: TxResult): void => {
      if (!counted) this.transactions[result] += 1;
      counted = true;
    };
    watchCalls(sent, 'committed', {
      done: () => count('committed'),
      failed: (error) => count(error instanceof TxPendingError ? 'pending' : 'failed'),
    });
  }
}

function startFailureOf(error: unknown): StartFailure {
  if (error instanceof WorkloadError) return error.reason;
  if (error instanceof Refusal || error instanceof ManifestError) return 'manifest';
  return 'other';
}
