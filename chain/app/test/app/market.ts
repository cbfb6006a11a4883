/** A user, two providers and their nodes on a Mu chain, and what they do. */
import type { CommitStore } from '@mu/framework/store/commit-store';
import { utf8 } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import { sha256 } from '@mu/lib/hashes';
import { nodeSignBytes, usageSignBytes } from '@mu/lib/sign-bytes';
import {
  type EscrowAccount,
  MsgUpdateUsage,
  QueryBillRequest,
  QueryBillResponse,
  QueryEscrowRequest,
  QueryEscrowResponse,
  UsageReport,
} from '@mu/proto/billing';
import {
  type Deployment,
  DeploymentInfrastructure,
  MsgCancelDeployment,
  MsgSubmitDeployment,
  QueryDeploymentRequest,
  QueryDeploymentResponse,
} from '@mu/proto/deployment';
import {
  type Fulfillment,
  type Lease,
  ManifestState,
  MsgSubmitFulfillment,
  MsgSubmitLeaseConfirmation,
  type Order,
  type OrderId,
  QueryFulfillmentRequest,
  QueryFulfillmentResponse,
  QueryLeaseRequest,
  QueryLeaseResponse,
  QueryOrderRequest,
  QueryOrderResponse,
} from '@mu/proto/market';
import { MsgAddNode, MsgPublishPriceList, MsgRegisterProvider, NodeCertificate } from '@mu/proto/provider';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import {
  type Account,
  type AppState,
  accountOf,
  any,
  chainId,
  denom,
  genesisFor,
  MuChain,
  NodeKey,
  type Wish,
} from './mu-chain.ts';

/** Blocks in which late reports are accepted on the chains of these tests. */
export const usageWindow = 20n;
export const collateral = 1_000n;
export const deposit = 50_000n;
export const umu = (text: string): string => Dec.fromString(text).atomicsString();

export interface Actor extends Account {
  readonly authority: NodeKey;
  readonly node: NodeKey;
  readonly regions: readonly string[];
}

export interface Actors {
  readonly user: Account;
  readonly stranger: Account;
  /** receives a tenth of what providers earn */
  readonly treasury: Account;
  /** in eu */
  readonly dear: Actor;
  /** in eu */
  readonly cheap: Actor;
  /** in us */
  readonly remote: Actor;
}

async function provider(name: string, regions: readonly string[]): Promise<Actor> {
  const keys = { authority: new NodeKey(`${name} authority`), node: new NodeKey(name) };
  return { ...(await accountOf(name)), ...keys, regions };
}

export async function actors(): Promise<Actors> {
  const [user, stranger, treasury] = await Promise.all(['user', 'stranger', 'treasury'].map(accountOf));
  if (user === undefined || stranger === undefined || treasury === undefined) throw new Error('three accounts');
  const [dear, cheap, remote] = [
    await provider('dear', ['eu']),
    await provider('cheap', ['eu']),
    await provider('remote', ['us']),
  ];
  return { user, stranger, treasury, dear, cheap, remote };
}

/** Parameters by module, in the JSON of genesis, that differ from those of the tests. */
export type ModuleParams = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Two regions, a short window, a commission of a tenth. */
export function marketGenesis(who: Actors, params: ModuleParams = {}, more: readonly Account[] = []): AppState {
  return genesisFor([...Object.values(who), ...more], (state) => {
    const changed = structuredClone(state) as { [module: string]: { params: Record<string, unknown> } };
    Object.assign(changed['provider']?.params ?? {}, { regions: ['eu', 'us'] });
    Object.assign(changed['billing']?.params ?? {}, {
      usage_window_blocks: `${usageWindow}`,
      min_runway_blocks: '100',
      commission_rate: '0.100000000000000000',
      commission_account: who.treasury.address,
    });
    for (const [module, changes] of Object.entries(params)) Object.assign(changed[module]?.params ?? {}, changes);
    return changed as unknown as AppState;
  });
}

const invocations = 'function-invocations';

/** 10.5 umu per block at most, 2 replicas, 100 invocations a block at 0.02 umu at most. */
export function infrastructure(changes: Partial<DeploymentInfrastructure> = {}): DeploymentInfrastructure {
  return DeploymentInfrastructure.fromPartial({
    name: 'main',
    region: 'eu',
    services: ['mu-function'],
    resources: [
      {
        compute: { cpu: 100, memory: 134_217_728n, disk: 0n },
        price: umu('10.5'),
        collateral: `${collateral / 2n}`,
        count: 2,
      },
    ],
    usageLimits: [{ metric: invocations, maxPrice: umu('20'), maxPricePer: 1000n, maxQuantityPerBlock: 100n }],
    expectedUsage: [{ metric: invocations, quantityPerBlock: 10n }],
    ...changes,
  });
}

export interface ReportOptions {
  readonly sequence?: bigint;
  readonly from?: bigint;
  readonly to: bigint;
  readonly quantity?: bigint;
  readonly signedBy?: NodeKey;
}

export class Market {
  readonly chain: MuChain;
  readonly who: Actors;

  constructor(chain: MuChain, who: Actors) {
    this.chain = chain;
    this.who = who;
  }

  /** @param more accounts that have funds too */
  static async begin(store?: CommitStore, params: ModuleParams = {}, more: readonly Account[] = []): Promise<Market> {
    const who = await actors();
    return new Market(MuChain.begin(marketGenesis(who, params, more), store), who);
  }

  /** Registers all providers, then publishes their prices and enters their nodes. */
  async register(): Promise<readonly ExecTxResult[]> {
    const all = [this.who.dear, this.who.cheap, this.who.remote];
    const first = await this.chain.block(...all.map((one) => this.#registration(one)));
    const second = await this.chain.block(...all.map((one) => this.#prices(one)));
    const third = await this.chain.block(...all.map((one) => this.#node(one)));
    return [...first.results, ...second.results, ...third.results];
  }

  #registration(from: Actor): Wish {
    const message = MsgRegisterProvider.fromPartial({
      owner: from.address,
      hostUri: `https://${from.name}.example:8443`,
      gatewayUri: `https://${from.name}.example`,
      regions: [...from.regions],
      services: ['mu-function', 'mu-gateway'],
      // An empty sequence of DER: the chain looks at the frame of a certificate and no further.
      roots: [{ certificate: new Uint8Array([0x30, 0]), validFromHeight: 0n, validToHeight: 0n }],
      nodeAuthorityKey: from.authority.publicKey,
    });
    return { from, messages: [any(MsgRegisterProvider, message)] };
  }

  #prices(from: Actor): Wish {
    const prices = [{ metric: invocations, price: umu('15.5'), per: 1000n }];
    return {
      from,
      messages: [any(MsgPublishPriceList, MsgPublishPriceList.fromPartial({ owner: from.address, prices }))],
    };
  }

  #node(from: Actor): Wish {
    const terms = {
      nodeId: 'node-1',
      publicKey: from.node.publicKey,
      region: from.regions[0] as string,
      validFromHeight: 1n,
      validToHeight: 10_000n,
    };
    const certificate = NodeCertificate.fromPartial({ provider: from.address, ...terms });
    const signed = nodeSignBytes(chainId, NodeCertificate.encode(certificate).finish());
    const message = MsgAddNode.fromPartial({ owner: from.address, ...terms, signature: from.authority.sign(signed) });
    return { from, messages: [any(MsgAddNode, message)] };
  }

  deploy(dseq: bigint, changes: Partial<DeploymentInfrastructure> = {}): Promise<ExecTxResult> {
    const message = MsgSubmitDeployment.fromPartial({
      owner: this.who.user.address,
      dseq,
      name: `deployment ${dseq}`,
      infrastructure: [infrastructure(changes)],
      version: sha256(utf8(`manifest ${dseq}`)),
      deposit: { denom, amount: `${deposit}` },
    });
    return this.chain.run(this.who.user, MsgSubmitDeployment, message);
  }

  orderId(dseq: bigint, round = 1): OrderId {
    return { owner: this.who.user.address, dseq, infrastructure: 0, round };
  }

  bidOf(from: Account, dseq: bigint, price: string, round = 1): Wish {
    const spec = this.order(dseq, round).spec as DeploymentInfrastructure;
    const message = MsgSubmitFulfillment.fromPartial({
      sender: from.address,
      provider: from.address,
      order: this.orderId(dseq, round),
      resources: spec.resources.map((group) => ({ ...group, price: umu(price) })),
      priceListVersion: 1n,
    });
    return { from, messages: [any(MsgSubmitFulfillment, message)] };
  }

  async bid(from: Account, dseq: bigint, price: string, round = 1): Promise<ExecTxResult> {
    const { results } = await this.chain.block(this.bidOf(from, dseq, price, round));
    return results[0] as ExecTxResult;
  }

  confirm(
    lease: bigint,
    from: Account,
    manifestState: ManifestState = ManifestState.MANIFEST_STATE_RUNNING,
  ): Promise<ExecTxResult> {
    const endpoints = ['https://one.example'];
    const message = MsgSubmitLeaseConfirmation.fromPartial({
      sender: from.address,
      confirmation: { lease, endpoints, manifestState, manifestRevision: 1n },
    });
    return this.chain.run(from, MsgSubmitLeaseConfirmation, message);
  }

  report(lease: bigint, from: Actor, options: ReportOptions): Promise<ExecTxResult> {
    const report = UsageReport.fromPartial({
      lease,
      nodeId: 'node-1',
      sequence: options.sequence ?? 1n,
      fromHeight: options.from ?? this.lease(lease).createdHeight + 1n,
      toHeight: options.to,
      items: [{ service: 'login', metric: invocations, quantity: options.quantity ?? 100n }],
      logRoot: new Uint8Array(32).fill(1),
    });
    const signed = usageSignBytes(chainId, UsageReport.encode(report).finish());
    const signature = (options.signedBy ?? from.node).sign(signed);
    return this.chain.run(
      from,
      MsgUpdateUsage,
      MsgUpdateUsage.fromPartial({ sender: from.address, report, signature }),
    );
  }

  cancel(dseq: bigint): Promise<ExecTxResult> {
    const message = MsgCancelDeployment.fromPartial({ owner: this.who.user.address, dseq });
    return this.chain.run(this.who.user, MsgCancelDeployment, message);
  }

  order(dseq: bigint, round = 1): Order {
    const source = { path: '/mu.market.v1.Query/Order', request: QueryOrderRequest, answer: QueryOrderResponse };
    const { order } = this.chain.ask(source, QueryOrderRequest.fromPartial(this.orderId(dseq, round)));
    return order as Order;
  }

  fulfillment(number: bigint): Fulfillment {
    const source = {
      path: '/mu.market.v1.Query/Fulfillment',
      request: QueryFulfillmentRequest,
      answer: QueryFulfillmentResponse,
    };
    return this.chain.ask(source, QueryFulfillmentRequest.fromPartial({ number })).fulfillment as Fulfillment;
  }

  lease(number: bigint): Lease {
    const source = { path: '/mu.market.v1.Query/Lease', request: QueryLeaseRequest, answer: QueryLeaseResponse };
    return this.chain.ask(source, QueryLeaseRequest.fromPartial({ number })).lease as Lease;
  }

  escrow(dseq: bigint): EscrowAccount {
    const source = { path: '/mu.billing.v1.Query/Escrow', request: QueryEscrowRequest, answer: QueryEscrowResponse };
    const request = QueryEscrowRequest.fromPartial({ owner: this.who.user.address, dseq });
    return this.chain.ask(source, request).escrow as EscrowAccount;
  }

  bill(lease: bigint): QueryBillResponse {
    const source = { path: '/mu.billing.v1.Query/Bill', request: QueryBillRequest, answer: QueryBillResponse };
    return this.chain.ask(source, QueryBillRequest.fromPartial({ lease }));
  }

  deployment(dseq: bigint): Deployment {
    const source = {
      path: '/mu.deployment.v1.Query/Deployment',
      request: QueryDeploymentRequest,
      answer: QueryDeploymentResponse,
    };
    const id = { owner: this.who.user.address, dseq };
    return this.chain.ask(source, QueryDeploymentRequest.fromPartial(id)).deployment as Deployment;
  }

  balance(account: Account): bigint {
    return this.chain.balance(account.address);
  }
}
