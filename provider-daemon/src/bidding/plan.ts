/**
 * Which of several orders to bid for, when they do not all fit: decided together, against one inventory. Pure.
 *
 * The best goes first. Best is what asks most for each share of the machine that it takes: its price per block, divided by
 * the largest part that it takes of any kind of resource (a replica with half of the memory and a tenth of the cores takes
 * half of the machine, as nothing else of that size fits beside it). Among equals: the higher price, the older order, the
 * lower id. Standbys come after all others (apart.ts).
 */
import { parseAmount } from '@mu/lib/amounts';
import type { Order, OrderId, ResourceOffer } from '@mu/proto/market';
import { orderKey } from '../watch/order-key.ts';
import { type OwnPlace, standbysLast, whyApart } from './apart.ts';
import { type Offer, type Priced, whyTooDear } from './decide.ts';
import { matches } from './gpus.ts';
import {
  collateralOf,
  gpuWishes,
  type Holders,
  kinds,
  lacking,
  type Room,
  roomOf,
  sumResources,
  without,
} from './inventory.ts';

/** What the deciding rests on beside the offer. */
export interface Standing extends Holders {
  /** umu that the sender can lock */
  readonly funds: bigint;
  /** leases and bids of the orders' deployments; none where it is left out */
  readonly own?: readonly OwnPlace[];
}

export type Decision =
  | {
      readonly bid: true;
      readonly order: Order;
      readonly resources: readonly ResourceOffer[];
      /** in umu, of the whole bid */
      readonly collateral: bigint;
      readonly priceListVersion: bigint;
    }
  | {
      readonly bid: false;
      readonly order: Order;
      readonly reason: string;
      /** `room`: worth another look when something that is held comes back */
      readonly lasting: 'ever' | 'room';
    };

/** An order that is not bid for. */
export type Skipped = Omit<Extract<Decision, { bid: false }>, 'bid'>;

/** What is left for the next candidate. */
interface Left {
  readonly room: Room;
  readonly openBids: number;
  /** umu that are locked in all */
  readonly locked: bigint;
  readonly funds: bigint;
  readonly own: readonly OwnPlace[];
}

/** One decision for each candidate, the best first. */
export function plan(
  candidates: readonly Priced[],
  offer: Offer,
  { funds, own = [], ...holders }: Standing,
): Decision[] {
  let left: Left = {
    room: roomOf(offer.capacity, holders),
    openBids: holders.bids.length,
    locked: collateralOf(holders.leases) + collateralOf(holders.bids),
    funds,
    own,
  };
  const empty = roomOf(offer.capacity, { leases: [], bids: [] });
  return ranked(candidates, offer).map((candidate) => {
    const groups = candidate.order.spec?.resources ?? [];
    const collateral = groups.reduce((sum, group) => sum + parseAmount(group.collateral) * BigInt(group.count), 0n);
    const never = whyNever(candidate, collateral, offer, empty);
    if (never !== undefined) return { bid: false, order: candidate.order, reason: never, lasting: 'ever' };
    const reason = whyApart(candidate.order, left.own) ?? whyNoRoom(candidate.order, collateral, offer, left);
    if (reason !== undefined) return { bid: false, order: candidate.order, reason, lasting: 'room' };
    left = {
      room: without(left.room, groups),
      openBids: left.openBids + 1,
      locked: left.locked + collateral,
      funds: left.funds - collateral,
      own: [...left.own, placeOf(candidate.order)],
    };
    return bidFor(candidate, collateral, offer);
  });
}

const placeOf = ({ id, spec }: Order): OwnPlace => ({ order: id as OrderId, infrastructure: spec?.name ?? '' });

function bidFor({ order, prices }: Priced, collateral: bigint, { priceList }: Offer): Decision {
  const resources = (order.spec?.resources ?? []).map(({ compute, collateral: each, count }, at) => ({
    compute,
    price: prices[at]?.atomicsString() ?? '',
    collateral: each,
    count,
  }));
  return { bid: true, order, resources, collateral, priceListVersion: priceList?.version ?? 0n };
}

/** @param empty the room with nobody in it */
function whyNever(candidate: Priced, collateral: bigint, { maxCollateral }: Offer, empty: Room): string | undefined {
  const dear = whyTooDear(candidate);
  if (dear !== undefined) return dear;
  if (collateral > maxCollateral)
    return `collateral of ${collateral} umu is above the configured most (bidding.max_collateral)`;
  const short = lacking(empty, candidate.order.spec?.resources ?? []);
  return short.length > 0 ? `more ${short.join(', ')} than is offered in all` : undefined;
}

function whyNoRoom(order: Order, collateral: bigint, offer: Offer, left: Left): string | undefined {
  const short = lacking(left.room, order.spec?.resources ?? []);
  if (short.length > 0) return `not enough ${short.join(', ')} left`;
  if (left.openBids >= offer.maxOpenBids) return `${left.openBids} bids are open (bidding.max_open_bids)`;
  if (left.locked + collateral > offer.maxTotalCollateral) {
    return `${left.locked + collateral} umu of collateral would be locked in all (bidding.max_total_collateral)`;
  }
  return collateral > left.funds
    ? `the operator's account has ${left.funds < 0n ? 0n : left.funds} umu left for a collateral of ${collateral}`
    : undefined;
}

function ranked(candidates: readonly Priced[], offer: Offer): Priced[] {
  const judged = candidates.map((candidate) => ({
    candidate,
    price: totalOf(candidate),
    worth: worthOf(candidate, offer),
    key: orderKey(candidate.order.id as OrderId),
  }));
  return judged
    .sort(
      (a, b) =>
        standbysLast(a.candidate.order, b.candidate.order) ||
        compare(b.worth, a.worth) ||
        compare(b.price, a.price) ||
        compare(a.candidate.order.createdHeight, b.candidate.order.createdHeight) ||
        (a.key < b.key ? -1 : 1),
    )
    .map(({ candidate }) => candidate);
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** What is asked for all replicas, in 10⁻¹⁸ umu per block. */
function totalOf({ order, prices }: Priced): bigint {
  return (order.spec?.resources ?? []).reduce(
    (sum, { count }, at) => sum + BigInt(prices[at]?.atomicsString() ?? 0) * BigInt(count),
    0n,
  );
}

/** Price over the largest share, in 10⁻¹⁸ umu per block for the whole of what is offered. */
function worthOf(candidate: Priced, { capacity }: Offer): bigint {
  const groups = candidate.order.spec?.resources ?? [];
  const wanted = sumResources(groups);
  const total = totalOf(candidate);
  const shares = kinds.map((kind): readonly [bigint, bigint] => [wanted[kind], capacity[kind]]);
  for (const { gpu, replicas } of gpuWishes(groups)) {
    const had = capacity.gpus.filter((pool) => matches(pool, gpu)).reduce((sum, { count }) => sum + count, 0);
    shares.push([BigInt(gpu.count * replicas), BigInt(had)]);
  }
  // total ÷ max(wanted ÷ had) = min(total × had ÷ wanted)
  const worths = shares.flatMap(([asked, had]) => (asked === 0n ? [] : [(total * had) / asked]));
  return worths.reduce((least, worth) => (worth < least ? worth : least), worths[0] ?? total);
}
