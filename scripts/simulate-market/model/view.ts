/** The model's records as the chain keeps them: the store, the key and the bytes of each. */
import { concatBytes, u64be, utf8 } from '@mu/lib/bytes';
import * as billing from '@mu/proto/billing';
import * as deployment from '@mu/proto/deployment';
import * as market from '@mu/proto/market';
import * as provider from '@mu/proto/provider';
import { bytesOf } from './addresses.ts';
import { sharesOf } from './escrow.ts';
import { openBids } from './orders.ts';
import type {
  Kind,
  ModelAccount,
  ModelBid,
  ModelDeployment,
  ModelEscrow,
  ModelLease,
  ModelOrder,
  ModelProvider,
  ModelRecord,
  ModelSingle,
  OfKind,
} from './records.ts';
import { denom, type Interest, type World } from './world.ts';

/** What stands at a place of the state, as a message that can be shown; undefined: nothing. */
export interface Stored {
  readonly store: string;
  /** hex */
  readonly key: string;
  readonly bytes: Uint8Array | undefined;
}

const u32be = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
};

const behindLength = (bytes: Uint8Array): Uint8Array => concatBytes(Uint8Array.of(bytes.length), bytes);
const ofAddress = (address: string): Uint8Array => behindLength(bytesOf(address));
const ofText = (text: string): Uint8Array => behindLength(utf8(text));

export const keyOf = (prefix: number, ...parts: readonly Uint8Array[]): string =>
  Buffer.from(concatBytes(Uint8Array.of(prefix), ...parts)).toString('hex');

interface Codec<T> {
  fromPartial(fields: object): T;
  encode(message: T): { finish(): Uint8Array };
}

const encoded = <T>(codec: Codec<T>, fields: object): Uint8Array => codec.encode(codec.fromPartial(fields)).finish();

type Views = { readonly [K in Kind]: (record: OfKind<K>, world: World) => Stored };

const views: Views = {
  provider: (one) => ({
    store: 'provider',
    key: keyOf(0x02, ofAddress(one.owner)),
    bytes: encoded(provider.Provider, providerFields(one)),
  }),
  list: ({ provider: owner, version, prices, height }) => ({
    store: 'provider',
    key: keyOf(0x04, ofAddress(owner), u64be(version)),
    bytes: encoded(provider.PriceList, { provider: owner, version, prices, height }),
  }),
  node: ({ node, removed, reason }) => ({
    store: 'provider',
    key: keyOf(0x05, ofAddress(node.provider), ofText(node.nodeId)),
    bytes: encoded(provider.Node, { ...node, removedHeight: removed, removalReason: reason }),
  }),
  attestation: ({ provider: owner, auditor, attributes, height }) => ({
    store: 'provider',
    key: keyOf(0x07, ofAddress(owner), ofAddress(auditor)),
    bytes: encoded(provider.Attestation, { provider: owner, auditor, attributes, height }),
  }),
  deployment: (one) => ({
    store: 'deployment',
    key: keyOf(0x02, ofAddress(one.owner), u64be(one.dseq)),
    bytes: encoded(deployment.Deployment, deploymentFields(one)),
  }),
  owner: ({ owner, lastDseq }) => ({
    store: 'deployment',
    key: keyOf(0x03, ofAddress(owner)),
    bytes: u64be(lastDseq),
  }),
  order: (one, world) => ({
    store: 'market',
    key: keyOf(0x10, ofAddress(one.id.owner), u64be(one.id.dseq), u32be(one.id.infrastructure), u32be(one.id.round)),
    bytes: encoded(market.Order, orderFields(one, world)),
  }),
  bid: (one) => ({
    store: 'market',
    key: keyOf(0x20, u64be(one.number)),
    bytes: encoded(market.Fulfillment, bidFields(one)),
  }),
  lease: (one) => ({
    store: 'market',
    key: keyOf(0x30, u64be(one.number)),
    bytes: encoded(market.Lease, leaseFields(one)),
  }),
  escrow: (one, world) => ({
    store: 'billing',
    key: keyOf(0x10, ofAddress(one.owner), u64be(one.dseq)),
    bytes: encoded(billing.EscrowAccount, escrowFields(one, world)),
  }),
  share: ({ owner, dseq, depositor, shares }) => ({
    store: 'billing',
    key: keyOf(0x11, ofAddress(owner), u64be(dseq), ofAddress(depositor)),
    bytes: encoded(billing.DepositorShare, { owner, dseq, depositor, shares: `${shares}` }),
  }),
  usage: ({ lease, nodeId, sequence, to }) => ({
    store: 'billing',
    key: keyOf(0x20, u64be(lease), ofText(nodeId)),
    bytes: encoded(billing.UsageRecord, { lease, nodeId, sequence, toHeight: to }),
  }),
  total: ({ lease, metric, quantity }) => ({
    store: 'billing',
    key: keyOf(0x21, u64be(lease), ofText(metric)),
    bytes: encoded(billing.UsageTotal, { lease, metric, quantity: `${quantity}` }),
  }),
  line: ({ line }) => ({
    store: 'billing',
    key: keyOf(0x30, u64be(line.lease), u64be(line.line)),
    bytes: billing.BillLine.encode(line).finish(),
  }),
  account: ({ address, balance }: ModelAccount) => ({
    store: 'bank',
    key: keyOf(0x02, ofAddress(address), utf8(denom)),
    bytes: balance === 0n ? undefined : utf8(`${balance}`),
  }),
  single: (one) => singleView(one),
};

function singleView({ name, value }: ModelSingle): Stored {
  const of = (store: string, prefix: number, bytes: Uint8Array): Stored => ({ store, key: keyOf(prefix), bytes });
  switch (name) {
    case 'supply':
      return { store: 'bank', key: keyOf(0x00, utf8(denom)), bytes: utf8(`${value}`) };
    case 'provider':
      return of('provider', 0x00, encoded(provider.Params, value as object));
    case 'deployment':
      return of('deployment', 0x00, encoded(deployment.Params, value as object));
    case 'market':
      return of('market', 0x01, encoded(market.Params, value as object));
    case 'billing':
      return of('billing', 0x01, encoded(billing.Params, value as object));
    case 'interest': {
      const { start, minted, total } = value as Interest;
      const ledger = { windowStart: start, minted: `${minted}`, mintedTotal: `${total}` };
      return of('market', 0x05, encoded(market.InterestLedger, ledger));
    }
    case 'lastBid':
      return of('market', 0x03, u64be(value as bigint));
    case 'lastLease':
      return of('market', 0x04, u64be(value as bigint));
  }
}

/** Where a record stands and what of it; undefined bytes where it is gone. */
export function viewOf(world: World, record: ModelRecord): Stored {
  const stored = (views[record.kind] as (record: ModelRecord, world: World) => Stored)(record, world);
  return world.has(record) ? stored : { ...stored, bytes: undefined };
}

function providerFields({ owner, operators, payout, stated, ...one }: ModelProvider): object {
  return {
    owner,
    operators,
    payoutAddress: payout,
    ...stated,
    priceListVersion: one.version,
    deposit: { denom, amount: `${one.deposit}` },
    state: one.state,
    registeredHeight: one.registered,
    unbondingHeight: one.unbonding,
  };
}

function deploymentFields({ owner, dseq, name, infrastructure, version, revision, ...one }: ModelDeployment): object {
  return {
    id: { owner, dseq },
    name,
    infrastructure,
    version,
    revision,
    waitBlocks: one.wait,
    accessKeys: one.accessKeys,
    ...(one.sealed === undefined ? {} : { sealedManifest: one.sealed }),
    state: one.state,
    createdHeight: one.created,
    closedHeight: one.closed,
    removed: one.removed,
  };
}

function orderFields(order: ModelOrder, world: World): object {
  const { id, spec, ready, due, state, created, lease, reason, replaces, closed } = order;
  return {
    id,
    spec,
    readyHeight: ready,
    dueHeight: due,
    state,
    openBids: openBids(world, order).length,
    createdHeight: created,
    lease,
    closeReason: reason,
    replaces,
    closedHeight: closed,
  };
}

function bidFields({
  number,
  order,
  provider: owner,
  resources,
  version,
  total,
  collateral,
  ...bid
}: ModelBid): object {
  return {
    number,
    order: order.id,
    provider: owner,
    resources,
    priceListVersion: version,
    total: total.atomics(),
    collateral: `${collateral}`,
    state: bid.state,
    height: bid.height,
    lossReason: bid.loss,
    closedHeight: bid.closed,
  };
}

function leaseFields({ number, order, resources, endpoints, ...lease }: ModelLease): object {
  return {
    number,
    order: order.id,
    region: order.spec.region,
    resources,
    endpoints,
    ...leaseTimes(lease),
    provider: lease.provider,
    pricePerBlock: lease.price.atomics(),
    priceListVersion: lease.version,
    usageLimits: lease.limits,
    collateral: `${lease.collateral}`,
    persist: lease.persist,
    state: lease.state,
    closeReason: lease.reason,
    manifestState: lease.manifestState,
    manifestRevision: lease.manifestRevision,
    remainder: lease.remainder.atomics(),
    paid: `${lease.paid}`,
    commission: `${lease.commission}`,
    billLines: lease.lines,
    billHash: lease.hash,
    replaces: lease.replaces,
    interest: `${lease.interest}`,
  };
}

function leaseTimes(lease: Omit<ModelLease, 'number' | 'order' | 'resources' | 'endpoints'>): object {
  return {
    createdHeight: lease.created,
    confirmBy: lease.confirmBy,
    paidThrough: lease.paidThrough,
    firstConfirmedHeight: lease.firstConfirmed,
    confirmedBlocks: lease.confirmedBlocks,
    leaveHeight: lease.leave,
    graceUntil: lease.graceUntil,
    closedHeight: lease.closed,
  };
}

function escrowFields(escrow: ModelEscrow, world: World): object {
  const shares = sharesOf(world, escrow);
  return {
    owner: escrow.owner,
    dseq: escrow.dseq,
    balance: `${escrow.balance}`,
    shares: `${shares.reduce((sum, one) => sum + one.shares, 0n)}`,
    depositors: shares.length,
    deposited: `${escrow.deposited}`,
    withdrawn: `${escrow.withdrawn}`,
    spent: `${escrow.spent}`,
    reserve: `${escrow.reserve}`,
    state: escrow.state,
    settleHeight: escrow.settle,
  };
}
