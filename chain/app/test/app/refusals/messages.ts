/** Messages that would do, but for what a row changes. */
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { utf8 } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { nodeSignBytes, usageSignBytes } from '@mu/lib/sign-bytes';
import { MsgDeposit, MsgUpdateUsage, MsgWithdraw, UsageReport } from '@mu/proto/billing';
import {
  type AccessKey,
  type DeploymentInfrastructure,
  type ExpectedUsage,
  MsgCancelDeployment,
  MsgSubmitDeployment,
  MsgUpdateDeployment,
  type ResourceGroup,
  type SealedManifest,
  type UsageLimit,
} from '@mu/proto/deployment';
import {
  type CloseReason,
  type Confirmation,
  ManifestState,
  MsgAnnounceLeave,
  MsgCancelFulfillment,
  MsgCloseLease,
  MsgSubmitFulfillment,
  MsgSubmitLease,
  MsgSubmitLeaseConfirmation,
  MsgSubmitStaleLease,
  type OrderId,
} from '@mu/proto/market';
import {
  type Attribute,
  type MetricPrice,
  MsgAddNode,
  MsgAttestProvider,
  MsgDeregisterProvider,
  MsgPublishPriceList,
  MsgRegisterProvider,
  MsgRemoveNode,
  MsgUpdateProvider,
  NodeCertificate,
  RemovalReason,
} from '@mu/proto/provider';
import { type Actor, infrastructure, umu } from '../market.ts';
import { type Account, any, type Codec, chainId, denom, type NodeKey, type Wish } from '../mu-chain.ts';
import type { Stage } from './chain-of.ts';

export const invocations = 'function-invocations';
export const maxAmount: bigint = 2n ** 256n - 1n;
/** The greatest decimal in atomics: 10³⁶ umu. */
export const maxDec: string = umu(`1${'0'.repeat(36)}`);
export const maxInt64: bigint = 2n ** 63n - 1n;
export const minInt64: bigint = -(2n ** 63n);

/** An account of which nobody has the key. */
export const address = (number: number, prefix = 'mu'): string =>
  toBech32(prefix, new Uint8Array(20).fill(number & 255, 0, 10).fill(number >> 8, 10));
/** An account that takes coins from its own module alone. */
export const marketAccount: string = toBech32('mu', moduleAddress('market'));
export const cosmos: string = address(1, 'cosmos');
/** An address that begins in capitals: bech32 is all in capitals or has none. */
export const mixed = (text: string): string => `${text.slice(0, 8).toUpperCase()}${text.slice(8)}`;
export const mistyped = (text: string): string => `${text.slice(0, -1)}${text.endsWith('q') ? 'p' : 'q'}`;

export const send = <T>(from: Account, codec: Codec<T>, message: T): Wish => ({
  from,
  messages: [any(codec, message)],
});

/** The same message in a transaction that somebody else signs. */
export const signedBy = (from: Account, { messages }: Wish): Wish => ({ from, messages });

export const coin = (amount: bigint | string): { denom: string; amount: string } => ({ denom, amount: `${amount}` });

/** So many different things. */
export const many = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

/** An empty sequence of DER with so many bytes after its header. */
export function certificate(bytes: number): Uint8Array {
  const body = bytes - 4;
  const der = new Uint8Array(bytes);
  der.set([0x30, 0x82, body >> 8, body & 0xff]);
  return der;
}

export const root = (changes: { certificate?: Uint8Array; validFromHeight?: bigint; validToHeight?: bigint } = {}) => ({
  certificate: Uint8Array.of(0x30, 0),
  validFromHeight: 0n,
  validToHeight: 0n,
  ...changes,
});

export const key = (
  keyId: number,
  changes: { publicKey?: Uint8Array; validFromHeight?: bigint; validToHeight?: bigint } = {},
) => ({
  keyId,
  publicKey: new Uint8Array(32).fill(keyId),
  validFromHeight: 0n,
  validToHeight: 0n,
  ...changes,
});

const stated = (name: string) => ({
  hostUri: `https://${name}.example:8443`,
  gatewayUri: `https://${name}.example`,
  regions: ['eu'],
  services: ['mu-function', 'mu-gateway'],
  roots: [root()],
  nodeAuthorityKey: new Uint8Array(32).fill(7),
});

export function registration(
  at: Stage,
  changes: Partial<MsgRegisterProvider> = {},
  from: Account = at.who.stranger,
): Wish {
  const message = { owner: from.address, ...stated(from.name), ...changes };
  return send(from, MsgRegisterProvider, MsgRegisterProvider.fromPartial(message));
}

export function providerUpdate(at: Stage, changes: Partial<MsgUpdateProvider> = {}, from: Actor = at.who.cheap): Wish {
  const own = { owner: from.address, ...stated(from.name), nodeAuthorityKey: from.authority.publicKey };
  return send(from, MsgUpdateProvider, MsgUpdateProvider.fromPartial({ ...own, ...changes }));
}

export function priceList(at: Stage, prices: MetricPrice[], from: Account = at.who.cheap): Wish {
  return send(from, MsgPublishPriceList, MsgPublishPriceList.fromPartial({ owner: from.address, prices }));
}

export const price = (changes: Partial<MetricPrice> = {}): MetricPrice => ({
  metric: invocations,
  price: umu('15.5'),
  per: 1000n,
  ...changes,
});

/** @param certifiedBy whose signature it bears */
export function node(
  at: Stage,
  changes: Partial<MsgAddNode> = {},
  from: Actor = at.who.cheap,
  certifiedBy: NodeKey = from.authority,
): Wish {
  const { signature, owner, ...terms } = MsgAddNode.fromPartial({
    owner: from.address,
    nodeId: `node-${at.market.chain.height}`,
    publicKey: from.node.publicKey,
    region: 'eu',
    validFromHeight: 1n,
    validToHeight: 1_000_000n,
    ...changes,
  });
  const certificate = NodeCertificate.encode({ provider: owner, ...terms }).finish();
  const signed = certifiedBy.sign(nodeSignBytes(chainId, certificate));
  const given = changes.signature === undefined ? signed : signature;
  return send(from, MsgAddNode, MsgAddNode.fromPartial({ owner, ...terms, signature: given }));
}

export function nodeRemoval(at: Stage, changes: Partial<MsgRemoveNode> = {}, from: Account = at.who.cheap): Wish {
  const message = { owner: from.address, nodeId: 'node-1', reason: RemovalReason.REMOVAL_REASON_RETIRED, ...changes };
  return send(from, MsgRemoveNode, MsgRemoveNode.fromPartial(message));
}

export const departure = (from: Account): Wish =>
  send(from, MsgDeregisterProvider, MsgDeregisterProvider.fromPartial({ owner: from.address }));

export function attestation(at: Stage, attributes: Attribute[], provider: string = at.who.cheap.address): Wish {
  const { stranger } = at.who;
  const message = { auditor: stranger.address, provider, attributes };
  return send(stranger, MsgAttestProvider, MsgAttestProvider.fromPartial(message));
}

export const version: Uint8Array = sha256(utf8('manifest'));

export const group = (changes: Partial<ResourceGroup> = {}): ResourceGroup => ({
  ...(infrastructure().resources[0] as ResourceGroup),
  ...changes,
});

/** A deployment of one infrastructure. Its dseq is above every one before. */
export function submission(
  at: Stage,
  asks: Partial<DeploymentInfrastructure> = {},
  changes: Partial<MsgSubmitDeployment> = {},
  from: Account = at.who.user,
): Wish {
  const message = {
    owner: from.address,
    dseq: at.market.chain.height + 1_000n,
    name: 'deployment',
    infrastructure: [infrastructure(asks)],
    version,
    deposit: coin(50_000n),
    ...changes,
  };
  return send(from, MsgSubmitDeployment, MsgSubmitDeployment.fromPartial(message));
}

export function deploymentUpdate(
  at: Stage,
  changes: Partial<MsgUpdateDeployment> = {},
  from: Account = at.who.user,
): Wish {
  const message = { owner: from.address, dseq: 1n, ...changes };
  return send(from, MsgUpdateDeployment, MsgUpdateDeployment.fromPartial(message));
}

export const cancellation = (from: Account, dseq: bigint): Wish =>
  send(from, MsgCancelDeployment, MsgCancelDeployment.fromPartial({ owner: from.address, dseq }));

/** To the first key of the provider with keys. */
export const sealed = (at: Stage, changes: Partial<SealedManifest> = {}): SealedManifest => ({
  provider: at.more.keeper.address,
  keyId: 1,
  encapsulatedKey: new Uint8Array(32),
  ciphertext: new Uint8Array(17),
  ...changes,
});

export const orderOf = (at: Stage, dseq: bigint, changes: Partial<OrderId> = {}): OrderId => ({
  ...at.market.orderId(dseq),
  ...changes,
});

/** A bid for an order of the user's that asks what `infrastructure` does, unless it says otherwise. */
export function bid(
  at: Stage,
  dseq: bigint,
  changes: Partial<MsgSubmitFulfillment> = {},
  from: Account = at.who.cheap,
): Wish {
  const message = {
    sender: from.address,
    provider: from.address,
    order: orderOf(at, dseq),
    resources: [group({ price: umu('9.25') })],
    priceListVersion: 1n,
    ...changes,
  };
  return send(from, MsgSubmitFulfillment, MsgSubmitFulfillment.fromPartial(message));
}

export const bidWithdrawal = (from: Account, number: bigint): Wish =>
  send(from, MsgCancelFulfillment, MsgCancelFulfillment.fromPartial({ sender: from.address, number }));

export const match = (from: Account, order: OrderId | undefined): Wish =>
  send(from, MsgSubmitLease, MsgSubmitLease.fromPartial({ sender: from.address, ...(order && { order }) }));

export const breakage = (from: Account, lease: bigint): Wish =>
  send(from, MsgSubmitStaleLease, MsgSubmitStaleLease.fromPartial({ sender: from.address, lease }));

export function confirmation(from: Account, changes: Partial<Confirmation> = {}): Wish {
  const confirmed = {
    lease: 2n,
    endpoints: ['https://one.example'],
    manifestState: ManifestState.MANIFEST_STATE_RECEIVED,
    manifestRevision: 1n,
    ...changes,
  };
  const message = { sender: from.address, confirmation: confirmed };
  return send(from, MsgSubmitLeaseConfirmation, MsgSubmitLeaseConfirmation.fromPartial(message));
}

export const end = (from: Account, lease: bigint, reason: CloseReason): Wish =>
  send(from, MsgCloseLease, MsgCloseLease.fromPartial({ sender: from.address, lease, reason }));

export const notice = (from: Account, lease: bigint): Wish =>
  send(from, MsgAnnounceLeave, MsgAnnounceLeave.fromPartial({ sender: from.address, lease }));

type Money = Partial<MsgDeposit & MsgWithdraw>;

export function payment(at: Stage, dseq: bigint, changes: Money = {}, from: Account = at.who.user): Wish {
  const message = { depositor: from.address, owner: at.who.user.address, dseq, amount: coin(1_000n), ...changes };
  return send(from, MsgDeposit, MsgDeposit.fromPartial(message));
}

export function withdrawal(at: Stage, dseq: bigint, changes: Money = {}, from: Account = at.who.user): Wish {
  const message = { depositor: from.address, owner: at.who.user.address, dseq, amount: coin(1_000n), ...changes };
  return send(from, MsgWithdraw, MsgWithdraw.fromPartial(message));
}

interface Sent {
  readonly from?: Account;
  readonly signedBy?: NodeKey;
  readonly signature?: Uint8Array;
}

/** The first report of node-1 of a lease of the cheap one, up to the block that it is in. */
export function usage(at: Stage, lease: bigint, changes: Partial<UsageReport> = {}, sent: Sent = {}): Wish {
  const { cheap } = at.who;
  const { from = cheap, signedBy: by = cheap.node } = sent;
  const report = UsageReport.fromPartial({
    lease,
    nodeId: 'node-1',
    sequence: 1n,
    fromHeight: at.createdAt(lease) + 1n,
    toHeight: at.market.chain.height + 1n,
    items: [item()],
    logRoot: new Uint8Array(32).fill(1),
    ...changes,
  });
  const signature = sent.signature ?? by.sign(usageSignBytes(chainId, UsageReport.encode(report).finish()));
  return send(from, MsgUpdateUsage, MsgUpdateUsage.fromPartial({ sender: from.address, report, signature }));
}

export const item = (changes: { service?: string; metric?: string; quantity?: bigint } = {}) => ({
  service: 'login',
  metric: invocations,
  quantity: 1n,
  ...changes,
});

export const usageLimit = (changes: Partial<UsageLimit> = {}): UsageLimit => ({
  ...(infrastructure().usageLimits[0] as UsageLimit),
  ...changes,
});

export const expected = (quantityPerBlock: bigint): ExpectedUsage => ({ metric: invocations, quantityPerBlock });

/** A point of which the first byte says that it is compressed, 2 or 3. */
export const accessKey = (first: number, changes: Partial<AccessKey> = {}): AccessKey => ({
  publicKey: new Uint8Array(33).fill(first),
  scopes: ['read'],
  expiresHeight: 0n,
  ...changes,
});
