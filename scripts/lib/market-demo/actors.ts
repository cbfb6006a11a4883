/** Who takes part in the demo of the market: accounts that sign real transactions, and nothing behind them. */
import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto';
import { DirectSecp256k1Wallet } from '@cosmjs/proto-signing';
import type { ChainClient, CommittedTx } from '@mu/client/chain/chain-client';
import { createRegistry, toEncodeObject } from '@mu/client/chain/registry';
import { Sender, type SentTx } from '@mu/client/chain/sender';
import { Dec } from '@mu/lib/dec';
import { nodeSignBytes, usageSignBytes } from '@mu/lib/sign-bytes';
import { MsgUpdateUsage, UsageReport } from '@mu/proto/billing';
import {
  type Lease,
  ManifestState,
  MsgAnnounceLeave,
  MsgSubmitFulfillment,
  MsgSubmitLeaseConfirmation,
  type Order,
} from '@mu/proto/market';
import { MsgAddNode, MsgRegisterProvider, NodeCertificate } from '@mu/proto/provider';
import { type TestWallet, testWallets } from '../wallets.ts';

export const denom = 'umu';
export const region = 'local';
export const metric = 'function-invocations';

type Message = Parameters<Sender['sendAndWait']>[0][number];

/** Someone with an account. */
export class Actor {
  readonly name: string;
  readonly address: string;
  readonly #wallet: TestWallet;
  #sender: Sender | undefined;
  #client: ChainClient | undefined;

  constructor(name: string) {
    this.name = name;
    this.#wallet = testWallets(`market demo ${name} ${randomBytes(8).toString('hex')}`, 1)[0] as TestWallet;
    this.address = this.#wallet.address;
  }

  async connect(client: ChainClient): Promise<void> {
    const signer = await DirectSecp256k1Wallet.fromKey(this.#wallet.key, 'mu');
    this.#client = client;
    // Without fees every balance of the demo is what the market made of it.
    this.#sender = await Sender.create({
      client,
      signer,
      registry: createRegistry(),
      gasPriceMicro: 0n,
      feeDenom: denom,
      // A confirmation that is tried in the block of the match pays nothing yet; in the next one it does.
      extraGas: 100_000n,
    });
  }

  get client(): ChainClient {
    if (this.#client === undefined) throw new Error(`${this.name} is not connected`);
    return this.#client;
  }

  /** Hands a transaction to the node. @throws ChainError */
  send(...messages: Message[]): Promise<SentTx> {
    if (this.#sender === undefined) throw new Error(`${this.name} is not connected`);
    return this.#sender.send(messages);
  }

  /** @returns the transaction in its block @throws ChainError */
  async act(...messages: Message[]): Promise<CommittedTx> {
    return (await this.send(...messages)).committed();
  }
}

/** An Ed25519 key of a node or a node authority. */
function edKey(): { readonly publicKey: Buffer; sign(message: Uint8Array): Buffer } {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), randomBytes(32)]);
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return { publicKey, sign: (message) => sign(null, message, key) };
}

const confirmEveryBlocks = 4n;
const pollMs = 100;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pollMs));

/** A provider that bids, confirms and reports by messages; its servers are imagined. */
export class Provider extends Actor {
  readonly nodeId = 'node-1';
  readonly #authority = edKey();
  readonly #node = edKey();
  /** leases that it keeps confirming */
  readonly #served = new Set<bigint>();

  /** Enters the registry with one node and a price of a call, in umu. */
  async register(pricePerCall: string): Promise<void> {
    const { chainId } = this.client;
    const validToHeight = 1_000_000n;
    const terms = { nodeId: this.nodeId, publicKey: this.#node.publicKey, region, validFromHeight: 1n, validToHeight };
    const certificate = NodeCertificate.fromPartial({ provider: this.address, ...terms });
    const signature = this.#authority.sign(nodeSignBytes(chainId, NodeCertificate.encode(certificate).finish()));
    await this.act(
      toEncodeObject(MsgRegisterProvider, {
        owner: this.address,
        hostUri: `https://${this.name.toLowerCase()}.example:8443`,
        gatewayUri: `https://${this.name.toLowerCase()}.example`,
        regions: [region],
        services: ['mu-function'],
        // The chain looks at the frame of a certificate alone.
        roots: [{ certificate: Buffer.from([0x30, 0x00]), validFromHeight: 0n, validToHeight: 0n }],
        nodeAuthorityKey: this.#authority.publicKey,
        prices: [{ metric, price: Dec.fromString(pricePerCall).atomicsString(), per: 1n }],
      }),
      toEncodeObject(MsgAddNode, { owner: this.address, ...terms, signature }),
    );
  }

  /** Bids for an order: every replica at this price per block. @throws ChainError when the chain refuses it */
  bid({ id, spec }: Order, price: string): Promise<SentTx> {
    const resources = (spec?.resources ?? []).map(({ compute, collateral, count }) => ({
      compute,
      collateral,
      count,
      price: Dec.fromString(price).atomicsString(),
    }));
    const message = { sender: this.address, provider: this.address, order: id, resources, priceListVersion: 1n };
    return this.send(toEncodeObject(MsgSubmitFulfillment, message as Partial<MsgSubmitFulfillment>));
  }

  /** Says that a lease runs: that keeps it alive, and pays it. */
  confirm(lease: bigint): Promise<CommittedTx> {
    const confirmation = {
      lease,
      endpoints: [`https://${this.name.toLowerCase()}.example/${lease}`],
      manifestState: ManifestState.MANIFEST_STATE_RUNNING,
      manifestRevision: 1n,
    };
    return this.act(toEncodeObject(MsgSubmitLeaseConfirmation, { sender: this.address, confirmation }));
  }

  /** Confirms now, and again every few blocks until the lease is dropped or over. */
  async serve(lease: bigint): Promise<CommittedTx> {
    const first = await this.confirm(lease);
    this.#served.add(lease);
    void this.#keep(lease, BigInt(first.height));
    return first;
  }

  /** Stays away from now on. */
  drop(lease?: bigint): void {
    if (lease === undefined) this.#served.clear();
    else this.#served.delete(lease);
  }

  async #keep(lease: bigint, since: bigint): Promise<void> {
    let last = since;
    while (this.#served.has(lease)) {
      await pause();
      try {
        const height = BigInt(await this.client.height());
        if (height < last + confirmEveryBlocks || !this.#served.has(lease)) continue;
        last = BigInt((await this.confirm(lease)).height);
      } catch {
        // The lease has ended, or the chain stops: whatever follows from it, the story sees.
        this.drop(lease);
      }
    }
  }

  announceLeave(lease: bigint): Promise<CommittedTx> {
    return this.act(toEncodeObject(MsgAnnounceLeave, { sender: this.address, lease }));
  }

  /** Reports what a lease used from its first block to now, signed by the node. */
  async reportUsage({ number, createdHeight }: Lease, calls: bigint): Promise<CommittedTx> {
    const toHeight = BigInt(await this.client.height());
    const items = [{ service: 'shop', metric, quantity: calls }];
    const logRoot = Buffer.alloc(32, 1);
    const period = { fromHeight: createdHeight + 1n, toHeight };
    const report = { lease: number, nodeId: this.nodeId, sequence: 1n, ...period, items, logRoot };
    const bytes = UsageReport.encode(UsageReport.fromPartial(report)).finish();
    const signature = this.#node.sign(usageSignBytes(this.client.chainId, bytes));
    return this.act(toEncodeObject(MsgUpdateUsage, { sender: this.address, report, signature }));
  }
}
