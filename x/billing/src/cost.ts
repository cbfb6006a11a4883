/** What blocks and usage cost, in atomics of 10⁻¹⁸ umu: multiply first, divide last, cut towards zero. */
import { Dec } from '@mu/lib/dec';
import type { BillItem, UsageItem } from '@mu/proto/billing';
import type { UsageLimit } from '@mu/proto/deployment';
import type { MetricPrice, PriceList } from '@mu/proto/provider';
import { errCostTooLarge, errPriceAboveLimit } from './errors.ts';
import { atomicsFromWire } from './wire.ts';

const maxCost = Dec.max.atomics;

/**
 * quantity × price / per. The widest product, 2⁶⁴ × 10⁵⁴, has 244 bits.
 * @param price atomics of umu for `per` base units
 * @throws AbciError when the cost is above 10³⁶ umu
 */
export function usageCost(quantity: bigint, price: bigint, per: bigint): bigint {
  const cost = (quantity * price) / per;
  if (cost > maxCost) throw errCostTooLarge.wrap(`${quantity} units`);
  return cost;
}

/**
 * price × blocks. A lease must be payable whatever its price, or it could not end: a cost above 10³⁶ umu counts as that.
 * @param price atomics of umu for one block
 */
export function blocksCost(price: bigint, blocks: bigint): bigint {
  const cost = price * blocks;
  return cost > maxCost ? maxCost : cost;
}

/** price / per ≤ max_price / max_price_per, without a division. */
function isWithinLimit(price: MetricPrice, limit: UsageLimit): boolean {
  return atomicsFromWire(price.price) * limit.maxPricePer <= atomicsFromWire(limit.maxPrice) * price.per;
}

/**
 * The items of a report with their prices. A metric without a usage limit, or without a price in the list, is free.
 * @param list the price list fixed in the lease; undefined where the lease has none
 * @throws AbciError when a price is above its limit or a cost above 10³⁶ umu
 */
export function priceItems(
  items: readonly UsageItem[],
  limits: readonly UsageLimit[],
  list: PriceList | undefined,
): { items: BillItem[]; cost: bigint } {
  let total = 0n;
  const priced = items.map(({ service, metric, quantity }): BillItem => {
    const limit = limits.find((candidate) => candidate.metric === metric);
    const price = limit && list?.prices.find((candidate) => candidate.metric === metric);
    if (limit === undefined || price === undefined) {
      return { service, metric, quantity, price: '0', per: 1n, cost: '0' };
    }
    if (!isWithinLimit(price, limit)) throw errPriceAboveLimit.wrap(`metric ${metric}`);
    const cost = usageCost(quantity, atomicsFromWire(price.price), price.per);
    total += cost;
    return { service, metric, quantity, price: price.price, per: price.per, cost: cost.toString() };
  });
  if (total > maxCost) throw errCostTooLarge.wrap('all items together');
  return { items: priced, cost: total };
}
