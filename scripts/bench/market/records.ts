/**
 * The market before the first block: each deployment has an escrow, a lease that was confirmed and paid for one of its
 * infrastructures, and for the other an open order with a bid.
 */
import { DepositorShare, EscrowAccount, EscrowState } from '@mu/proto/billing';
import { Deployment, DeploymentState } from '@mu/proto/deployment';
import { Fulfillment, FulfillmentState, type Lease, ManifestState, type Order, type OrderId } from '@mu/proto/market';
import { leaseLine, withLine } from '@mu/x-billing/bill';
import { blocksCost } from '@mu/x-billing/cost';
import { settle } from '@mu/x-billing/settle';
import { bidCollateral } from '@mu/x-market/fulfillments';
import { newLease } from '@mu/x-market/leases';
import { matched, newOrder } from '@mu/x-market/orders';
import { type Cast, people } from './cast.ts';
import {
  collateral,
  endpoints,
  escrowed,
  farHeight,
  firstNumber,
  infrastructure,
  madeHeight,
  marketParams,
  paidThrough,
  price,
  umu,
} from './terms.ts';

/** Owner and provider of the nth deployment, and its numbers. */
export interface Place {
  readonly user: number;
  readonly provider: number;
  readonly dseq: bigint;
  readonly lease: bigint;
}

export function placeOf(index: number): Place {
  const round = Math.floor(index / people);
  const [user, provider] = [index % people, (index + 7 * round) % people];
  return { user, provider, dseq: firstNumber + BigInt(round), lease: firstNumber + BigInt(index) };
}

/** umu beyond what every other one has. */
export interface Riches {
  readonly escrow: bigint;
  readonly collateral: bigint;
}

/** So much that the sum of all of them has the same digits at every size: modules' balances are records too. */
export const riches: Riches = { escrow: 5_000_000_000_000_000_000n, collateral: 5_000_000_000_000n };
const none: Riches = { escrow: 0n, collateral: 0n };

export type MarketRecords = ReturnType<typeof recordsOf>;

export interface RecordOptions {
  /** when the open order is due */
  readonly due: bigint;
  readonly rich?: boolean;
}

export function recordsOf(cast: Cast, index: number, { due, rich = false }: RecordOptions) {
  const { user, provider, dseq, lease: number } = placeOf(index);
  const extra = rich ? riches : none;
  const owner = cast.users[user]?.address as string;
  const id = (at: number): OrderId => ({ owner, dseq, infrastructure: at, round: 1 });
  const [leased, open] = [orderOf(id(0)), { ...orderOf(id(1)), openBids: 1, dueHeight: due }];
  const bidder = (at: number): string => cast.providers[(provider + at) % people]?.address as string;
  const won = { ...bidOf(leased, bidder(0), 2n * number), state: FulfillmentState.FULFILLMENT_STATE_MATCHED };
  const bid = bidOf(open, bidder(1), 2n * number + 1n);
  const fresh = newLease(number, leased, won, madeHeight, marketParams);
  const { lease, line, spent } = paidLease({ ...fresh, collateral: `${collateral + extra.collateral}` });
  return {
    deployment: deploymentOf(owner, dseq),
    ...escrowOf(owner, dseq, { deposited: escrowed + extra.escrow, spent }),
    orders: [matched(leased, number), open],
    bids: [won, bid],
    lease,
    line,
  };
}

function deploymentOf(owner: string, dseq: bigint): Deployment {
  return Deployment.fromPartial({
    id: { owner, dseq },
    name: `deployment ${dseq}`,
    infrastructure: [infrastructure('leased'), infrastructure('open')],
    version: new Uint8Array(32).fill(7),
    revision: 1n,
    state: DeploymentState.DEPLOYMENT_STATE_ACTIVE,
    createdHeight: madeHeight,
  });
}

function escrowOf(owner: string, dseq: bigint, { deposited, spent }: { deposited: bigint; spent: bigint }) {
  const shares = `${deposited}`;
  return {
    escrow: EscrowAccount.fromPartial({
      owner,
      dseq,
      balance: `${deposited - spent}`,
      shares,
      depositors: 1,
      deposited: shares,
      withdrawn: '0',
      spent: `${spent}`,
      reserve: '100000',
      state: EscrowState.ESCROW_STATE_OPEN,
    }),
    share: DepositorShare.fromPartial({ owner, dseq, depositor: owner, shares }),
  };
}

function orderOf(id: OrderId): Order {
  const spec = infrastructure(id.infrastructure === 0 ? 'leased' : 'open');
  return newOrder({ id, spec, height: madeHeight, waitBlocks: 0n, replaces: 0n });
}

function bidOf(order: Order, provider: string, number: bigint): Fulfillment {
  const resources = (order.spec?.resources ?? []).map((group) => ({ ...group, price }));
  return Fulfillment.fromPartial({
    number,
    order: order.id as OrderId,
    provider,
    resources,
    priceListVersion: 1n,
    total: umu('10.2'),
    collateral: `${bidCollateral(resources)}`,
    state: FulfillmentState.FULFILLMENT_STATE_OPEN,
    height: madeHeight,
  });
}

/** The lease after its first payment, as x/billing makes it: the bill's hash is right. */
function paidLease(lease: Lease) {
  const blocks = paidThrough - madeHeight;
  const cost = blocksCost(BigInt(lease.pricePerBlock), blocks);
  const settlement = settle({ cost, remainder: 0n, balance: escrowed, commissionRate: 0n });
  const payment = { lease, height: paidThrough, cost, settlement, txHash: new Uint8Array(32).fill(3) };
  const line = leaseLine(payment, madeHeight + 1n, paidThrough);
  const confirmed: Lease = {
    ...withLine(lease, line),
    paidThrough,
    confirmBy: farHeight,
    firstConfirmedHeight: paidThrough,
    confirmedBlocks: blocks,
    endpoints: [...endpoints],
    manifestState: ManifestState.MANIFEST_STATE_RUNNING,
    manifestRevision: 1n,
  };
  return { lease: confirmed, line, spent: settlement.amount };
}
