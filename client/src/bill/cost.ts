/**
 * What blocks and usage cost, computed anew from what x/billing's README says: multiplied first, cut last, in atomics of
 * 10⁻¹⁸ umu.
 */
import { Dec } from '@mu/lib/dec';
import type { BillItem, UsageItem } from '@mu/proto/billing';
import type { UsageLimit } from '@mu/proto/deployment';
import type { MetricPrice, PriceList } from '@mu/proto/provider';

export const atomicsPerUmu = 10n ** 18n;
const mostAtomics = Dec.max.atomics;

/** Atomics of a Dec on the wire; the empty text is 0. @throws DecError */
export function atomics(text: string): bigint {
  return text === '' ? 0n : Dec.fromAtomics(text).atomics;
}

/** price × blocks, at most 10³⁶ umu. @param price of a block in atomics @returns atomics */
export function costOfBlocks(price: bigint, blocks: bigint): bigint {
  const cost = price * blocks;
  return cost > mostAtomics ? mostAtomics : cost;
}

/** The line's item that a reported quantity becomes. @throws RangeError for a price above the user's limit */
export function priced(
  { service, metric, quantity }: UsageItem,
  limits: readonly UsageLimit[],
  list: PriceList | undefined,
): BillItem {
  const limit = limits.find((one) => one.metric === metric);
  const price = list?.prices.find((one) => one.metric === metric);
  if (limit === undefined || price === undefined) return { service, metric, quantity, price: '0', per: 1n, cost: '0' };
  if (isAbove(price, limit)) throw new RangeError(`${metric}: the list asks more than the usage limit of the lease`);
  const cost = (quantity * atomics(price.price)) / price.per;
  return { service, metric, quantity, price: price.price, per: price.per, cost: cost.toString() };
}

/** price / per > max_price / max_price_per, crosswise so that nothing is rounded. */
function isAbove({ price, per }: MetricPrice, { maxPrice, maxPricePer }: UsageLimit): boolean {
  return atomics(price) * maxPricePer > atomics(maxPrice) * per;
}
