/**
 * Hands the journal of one node over to the next one. Reports are of one node each, in a sequence of its own: what the old
 * one has signed is sent first, what is counted and not yet reported is the next one's to report.
 */
import { ChainError } from '@mu/client/chain/errors';
import { toEncodeObject } from '@mu/client/chain/registry';
import { MsgUpdateUsage } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import type { NodeName } from '../identity/certificates.ts';
import { type Journal, openJournal } from '../journal/journal.ts';
import { taken, type UsageState } from '../usage/report.ts';
import type { RotationStep, RotationView } from './rotation.ts';

interface Owed {
  readonly lease: bigint;
  readonly state: UsageState;
}

/** The next step on the way of the journal at `folder` to the node `to`. */
export async function moveJournal(view: RotationView, folder: string, to: NodeName): Promise<RotationStep> {
  const { name: from } = view.identity;
  const owed = await opened(folder, from, async (journal) =>
    journal.usage.keys().map((key) => ({ lease: BigInt(key), state: journal.usage.get(BigInt(key))! })),
  );
  const [pending] = owed.filter(({ state }) => state.pending !== undefined);
  if (pending !== undefined) {
    return {
      words: `send the last report of node ${from.nodeId} for lease ${pending.lease}`,
      run: () => opened(folder, from, (journal) => sendReport(view, journal, pending)),
    };
  }
  const leases = new Map<bigint, Lease>();
  for (const { lease: number, state } of owed) {
    const { lease } = await view.client.market.lease({ number });
    if (lease === undefined) throw new Error(`the chain does not tell of lease ${number}`);
    if (lease.closedHeight > 0n && state.counted.length > 0) {
      return {
        words: `wait for the last report of lease ${number}, which has ended: start the daemon, and end it when \`mu-provider leases\` no longer shows it`,
      };
    }
    leases.set(number, lease);
  }
  return {
    words: `hand the journal over from node ${from.nodeId} to node ${to.nodeId}`,
    run: () =>
      opened(folder, from, async (journal) => {
        journal.atomically(() => {
          for (const [number, { createdHeight }] of leases) {
            const state = journal.usage.get(number);
            // The first report of a node begins with the first block of the lease (x/billing).
            if (state !== undefined) journal.usage.put(number, { ...state, sequence: 0n, toHeight: createdHeight });
          }
          journal.handOver(to);
        });
      }),
  };
}

async function opened<T>(folder: string, name: NodeName, use: (journal: Journal) => Promise<T>): Promise<T> {
  const journal = openJournal(folder, name);
  try {
    return await use(journal);
  } finally {
    await journal.close();
  }
}

async function sendReport(view: RotationView, journal: Journal, { lease, state }: Owed): Promise<void> {
  const { pending } = state;
  if (pending === undefined) return;
  const operator = await view.operator();
  try {
    await operator.sendAndWait([toEncodeObject(MsgUpdateUsage, { sender: operator.address, ...pending })]);
  } catch (error) {
    if (!(error instanceof ChainError) || error.codespace !== 'billing') throw error;
    const { records } = await view.client.billing.usage({ lease });
    const record = records.find(({ nodeId }) => nodeId === pending.report.nodeId);
    if (record?.sequence !== pending.report.sequence) {
      // The chain will never take it.
      view.onStep(`the report is refused, and dropped: ${error.message}`);
      journal.usage.put(lease, { ...state, pending: undefined });
      return;
    }
  }
  journal.usage.put(lease, taken(state));
}
