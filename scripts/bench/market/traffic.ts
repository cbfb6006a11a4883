/** The transactions of a run: who says what of the deployments that the plan names. */
import { utf8 } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { usageSignBytes } from '@mu/lib/sign-bytes';
import { MsgUpdateUsage, UsageReport } from '@mu/proto/billing';
import { MsgCancelDeployment, MsgSubmitDeployment } from '@mu/proto/deployment';
import {
  Confirmation,
  ManifestState,
  MsgSubmitFulfillment,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmations,
} from '@mu/proto/market';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import { chainId } from '../in-process.ts';
import type { Wallet } from '../sends.ts';
import { type Cast, everybody, type ProviderWallet, people } from './cast.ts';
import { lastFilledDseq } from './filled-market.ts';
import type { Plan } from './plan.ts';
import { placeOf } from './records.ts';
import { Signer } from './signer.ts';
import { deposit, endpoints, infrastructure, madeHeight, metric, nodeId, price } from './terms.ts';

/** A transaction and what is in it. */
export interface BenchTx {
  readonly kind: string;
  readonly raw: Uint8Array;
}

/** As generated code has message types. */
interface Codec<T> {
  readonly $type: string;
  encode(message: T): { finish(): Uint8Array };
}

const gasOfOne = 2_000_000;
const gasOfConfirmation = 200_000;

export class Traffic {
  readonly #cast: Cast;
  readonly #plan: Plan;
  readonly #signer: Signer;
  #deployed = 0;

  constructor(cast: Cast, plan: Plan) {
    this.#cast = cast;
    this.#plan = plan;
    this.#signer = new Signer(everybody(cast));
  }

  /** As many of each kind; the matches of the block are its own. */
  mixed(block: number): BenchTx[] {
    const plan = this.#plan;
    const leases = plan.leases(block);
    return [
      ...leases.map(() => this.#deploy()),
      ...plan.bids(block).map((one) => this.#bid(one)),
      ...leases.map((index) => this.#confirm(index)),
      ...leases.map((index) => this.#report(index, plan.heightOf(block) - 1n)),
      ...plan.closes(block).map((index) => this.#close(index)),
    ];
  }

  /** All leases of the plan, a message for so many. */
  confirmations(): BenchTx[] {
    const [all, { batch }] = [this.#plan.confirmed(), this.#plan.counts];
    return Array.from({ length: all.length / batch }, (_, at) => {
      const confirmations = all.slice(at * batch, (at + 1) * batch).map((index) => confirmationOf(index));
      const message = { sender: this.#cast.operator.address, confirmations };
      return this.#tx(this.#cast.operator, MsgSubmitLeaseConfirmations, message, batch * gasOfConfirmation);
    });
  }

  #deploy(): BenchTx {
    const at = this.#deployed;
    this.#deployed += 1;
    const user = this.#user(at % people);
    const dseq = lastFilledDseq + 1n + BigInt(at);
    const message = MsgSubmitDeployment.fromPartial({
      owner: user.address,
      dseq,
      name: `deployment ${dseq}`,
      infrastructure: [infrastructure('open')],
      version: sha256(utf8(`manifest ${dseq}`)),
      deposit: { denom: 'umu', amount: `${deposit}` },
    });
    return this.#tx(user, MsgSubmitDeployment, message);
  }

  #bid({ index, before }: { readonly index: number; readonly before: number }): BenchTx {
    const { user, provider, dseq } = placeOf(index);
    // The market's own bid is of the provider after the lease's.
    const from = this.#provider(provider + 2 + before);
    const resources = infrastructure('open').resources.map((group) => ({ ...group, price }));
    const order = { owner: this.#user(user).address, dseq, infrastructure: 1, round: 1 };
    const message = { sender: from.address, provider: from.address, order, resources, priceListVersion: 1n };
    return this.#tx(from, MsgSubmitFulfillment, MsgSubmitFulfillment.fromPartial(message));
  }

  #confirm(index: number): BenchTx {
    const from = this.#provider(placeOf(index).provider);
    return this.#tx(from, MsgSubmitLeaseConfirmation, {
      sender: from.address,
      confirmation: confirmationOf(index),
    });
  }

  #report(index: number, toHeight: bigint): BenchTx {
    const { provider, lease } = placeOf(index);
    const from = this.#provider(provider);
    const report = UsageReport.fromPartial({
      lease,
      nodeId,
      sequence: 1n,
      fromHeight: madeHeight + 1n,
      toHeight,
      items: [{ service: 'login', metric, quantity: 1_000_000n }],
      logRoot: new Uint8Array(32).fill(1),
    });
    const signature = from.node.sign(usageSignBytes(chainId, UsageReport.encode(report).finish()));
    return this.#tx(from, MsgUpdateUsage, { sender: from.address, report, signature });
  }

  #close(index: number): BenchTx {
    const { user, dseq } = placeOf(index);
    const owner = this.#user(user);
    return this.#tx(owner, MsgCancelDeployment, { owner: owner.address, dseq });
  }

  #tx<T>(from: Wallet, codec: Codec<T>, message: T, gas = gasOfOne): BenchTx {
    const any: Any = { typeUrl: `/${codec.$type}`, value: codec.encode(message).finish() };
    return { kind: codec.$type.split('.').at(-1) as string, raw: this.#signer.sign(from, any, gas) };
  }

  #user(at: number): Wallet {
    return this.#cast.users[at] as Wallet;
  }

  #provider(at: number): ProviderWallet {
    return this.#cast.providers[at % people] as ProviderWallet;
  }
}

function confirmationOf(index: number): Confirmation {
  return Confirmation.fromPartial({
    lease: placeOf(index).lease,
    endpoints: [...endpoints],
    manifestState: ManifestState.MANIFEST_STATE_RUNNING,
    manifestRevision: 1n,
  });
}
