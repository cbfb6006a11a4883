/** What the model keeps: one list of each kind, searched from its beginning. */
import type { BillLine } from '@mu/proto/billing';
import type { AccessKey, DeploymentInfrastructure, SealedManifest, UsageLimit } from '@mu/proto/deployment';
import type {
  CloseReason,
  FulfillmentState,
  LeaseState,
  ManifestState,
  OrderId,
  OrderState,
  ResourceOffer,
} from '@mu/proto/market';
import type { Attribute, MetricPrice, MsgUpdateProvider, Node } from '@mu/proto/provider';
import type { Fraction } from '../fraction.ts';

export interface ModelProvider {
  readonly kind: 'provider';
  readonly owner: string;
  operators: readonly string[];
  payout: string;
  stated: Omit<MsgUpdateProvider, 'owner' | 'operators' | 'payoutAddress'>;
  version: bigint;
  deposit: bigint;
  state: number;
  registered: bigint;
  unbonding: bigint;
}

export interface ModelPriceList {
  readonly kind: 'list';
  readonly provider: string;
  readonly version: bigint;
  readonly prices: readonly MetricPrice[];
  readonly height: bigint;
}

export interface ModelNode {
  readonly kind: 'node';
  readonly node: Node;
  removed: bigint;
  reason: number;
}

export interface ModelAttestation {
  readonly kind: 'attestation';
  readonly auditor: string;
  readonly provider: string;
  attributes: readonly Attribute[];
  height: bigint;
}

export interface ModelDeployment {
  readonly kind: 'deployment';
  readonly owner: string;
  readonly dseq: bigint;
  readonly name: string;
  infrastructure: readonly DeploymentInfrastructure[];
  version: Uint8Array;
  revision: bigint;
  readonly wait: bigint;
  accessKeys: readonly AccessKey[];
  sealed: SealedManifest | undefined;
  state: number;
  readonly created: bigint;
  closed: bigint;
  removed: readonly number[];
}

export interface ModelOrder {
  readonly kind: 'order';
  readonly id: OrderId;
  spec: DeploymentInfrastructure;
  readonly ready: bigint;
  due: bigint;
  state: OrderState;
  readonly created: bigint;
  lease: bigint;
  reason: CloseReason;
  readonly replaces: bigint;
  closed: bigint;
}

export interface ModelBid {
  readonly kind: 'bid';
  readonly number: bigint;
  readonly order: ModelOrder;
  readonly provider: string;
  readonly resources: readonly ResourceOffer[];
  readonly version: bigint;
  readonly total: Fraction;
  readonly collateral: bigint;
  state: FulfillmentState;
  readonly height: bigint;
  loss: number;
  closed: bigint;
}

export interface ModelLease {
  readonly kind: 'lease';
  readonly number: bigint;
  readonly order: ModelOrder;
  readonly provider: string;
  readonly resources: readonly ResourceOffer[];
  readonly price: Fraction;
  readonly version: bigint;
  readonly limits: readonly UsageLimit[];
  readonly collateral: bigint;
  persist: boolean;
  state: LeaseState;
  reason: CloseReason;
  readonly created: bigint;
  confirmBy: bigint;
  paidThrough: bigint;
  firstConfirmed: bigint;
  confirmedBlocks: bigint;
  leave: bigint;
  graceUntil: bigint;
  closed: bigint;
  endpoints: readonly string[];
  manifestState: ManifestState;
  manifestRevision: bigint;
  remainder: Fraction;
  paid: bigint;
  commission: bigint;
  lines: bigint;
  hash: Uint8Array;
  replaces: bigint;
  interest: bigint;
}

export interface ModelEscrow {
  readonly kind: 'escrow';
  readonly owner: string;
  readonly dseq: bigint;
  balance: bigint;
  deposited: bigint;
  withdrawn: bigint;
  spent: bigint;
  reserve: bigint;
  state: number;
  settle: bigint;
}

export interface ModelShare {
  readonly kind: 'share';
  readonly owner: string;
  readonly dseq: bigint;
  readonly depositor: string;
  shares: bigint;
}

/** How far the reports of a node have come. */
export interface ModelUsage {
  readonly kind: 'usage';
  readonly lease: bigint;
  readonly nodeId: string;
  sequence: bigint;
  to: bigint;
}

export interface ModelTotal {
  readonly kind: 'total';
  readonly lease: bigint;
  readonly metric: string;
  quantity: bigint;
}

export interface ModelLine {
  readonly kind: 'line';
  readonly line: BillLine;
}

export interface ModelAccount {
  readonly kind: 'account';
  readonly address: string;
  balance: bigint;
  sequence: bigint;
}

/** What has one value: the parameters of the modules, counters, the supply. */
export interface ModelSingle {
  readonly kind: 'single';
  readonly name: 'supply' | 'provider' | 'deployment' | 'market' | 'billing' | 'interest' | 'lastBid' | 'lastLease';
  value: unknown;
}

export interface ModelOwner {
  readonly kind: 'owner';
  readonly owner: string;
  lastDseq: bigint;
}

export type ModelRecord =
  | ModelProvider
  | ModelPriceList
  | ModelNode
  | ModelAttestation
  | ModelDeployment
  | ModelOrder
  | ModelBid
  | ModelLease
  | ModelEscrow
  | ModelShare
  | ModelUsage
  | ModelTotal
  | ModelLine
  | ModelAccount
  | ModelSingle
  | ModelOwner;

export type Kind = ModelRecord['kind'];
export type OfKind<K extends Kind> = Extract<ModelRecord, { readonly kind: K }>;
