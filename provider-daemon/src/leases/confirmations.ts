/** Confirms leases: what is due in a block goes out with one transaction, and each lease is told what became of its part. */

import { toEncodeObject } from '@mu/client/chain/registry';
import type { Sender } from '@mu/client/chain/sender';
import { messageOf } from '@mu/lib/error-message';
import {
  type Confirmation,
  ManifestState,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmations,
  MsgSubmitLeaseConfirmationsResponse,
} from '@mu/proto/market';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import type { Logger } from 'pino';
import { reach } from '../faults/fault-points.ts';
import { endpointsOf, type LeaseEvent, type LeaseLife, servedRevision, wantedRevision } from './lease-machine.ts';

export interface ConfirmationsOptions {
  readonly sender: Pick<Sender, 'address' | 'sendAndWait'>;
  readonly log: Logger;
}

/** A lease that is to be confirmed. */
export interface Confirmable {
  readonly life: LeaseLife;
  /** Hears what became of its confirmation. */
  play(event: Extract<LeaseEvent, { type: 'confirmed' | 'confirm-failed' }>): unknown;
}

/** The most that one message may confirm (design §5). */
export const maxConfirmations = 500;

export class Confirmations {
  readonly #options: ConfirmationsOptions;

  constructor(options: ConfirmationsOptions) {
    this.#options = options;
  }

  /** Sends what is confirmed of leases as they stand; nobody waits for it, each lease hears of it. */
  send(due: readonly Confirmable[]): void {
    for (let at = 0; at < due.length; at += maxConfirmations) this.#sendOne(due.slice(at, at + maxConfirmations));
  }

  #sendOne(leases: readonly Confirmable[]): void {
    const { sender, log } = this.#options;
    const confirmations = leases.map(({ life }) => confirmationOf(life));
    const [only] = confirmations;
    const message =
      confirmations.length === 1
        ? toEncodeObject(MsgSubmitLeaseConfirmation, { sender: sender.address, confirmation: only })
        : toEncodeObject(MsgSubmitLeaseConfirmations, { sender: sender.address, confirmations });
    reach('confirmation.sending');
    sender
      .sendAndWait([message])
      .then((tx) => {
        reach('confirmation.committed');
        const failed = failedOf(tx.data);
        for (const one of leases) {
          const type = failed.has(one.life.lease.number)
            ? ({ type: 'confirm-failed' } as const)
            : ({ type: 'confirmed', height: BigInt(tx.height) } as const);
          one.play(type);
        }
        const numbers = leases.map(({ life }) => life.lease.number.toString());
        log.info({ leases: numbers, height: tx.height }, 'leases confirmed');
      })
      .catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, 'confirmation failed, it will be sent again');
        for (const one of leases) one.play({ type: 'confirm-failed' });
      });
  }
}

function confirmationOf({ lease, work }: LeaseLife): Confirmation {
  const served = servedRevision(work);
  const wanted = wantedRevision({ work });
  const received = wanted > 0n ? ManifestState.MANIFEST_STATE_RECEIVED : ManifestState.MANIFEST_STATE_WAITING;
  return {
    lease: lease.number,
    endpoints: [...endpointsOf(work)],
    manifestState: served > 0n ? ManifestState.MANIFEST_STATE_RUNNING : received,
    manifestRevision: served > 0n ? served : wanted,
  };
}

/** Leases of a batch whose confirmation the chain refused. */
function failedOf(data: Uint8Array): Set<bigint> {
  const [response] = TxMsgData.decode(data).msgResponses;
  if (response?.typeUrl !== `/${MsgSubmitLeaseConfirmationsResponse.$type}`) return new Set();
  const { results } = MsgSubmitLeaseConfirmationsResponse.decode(response.value);
  return new Set(results.filter(({ code }) => code !== 0).map(({ lease }) => lease));
}
