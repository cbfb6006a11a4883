/** What a bid offers: prices, collateral, and the total by which bids compare. */
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import type { ResourceOffer } from '@mu/proto/market';
import type { MetricPrice } from '@mu/proto/provider';
import { Fraction, sumOf } from '../fraction.ts';

/** What a group costs per block. */
export const priceOf = ({ price, count }: ResourceOffer): Fraction => Fraction.ofAtomics(price).times(BigInt(count));

export const collateralOf = (offers: readonly ResourceOffer[]): bigint =>
  offers.reduce((sum, { collateral, count }) => sum + BigInt(collateral) * BigInt(count), 0n);

/** Σ price × count and the expected usage at the list's prices, each metric rounded up to 18 decimals. */
export function totalOf(
  spec: DeploymentInfrastructure,
  offers: readonly ResourceOffer[],
  prices: readonly MetricPrice[],
): Fraction {
  const usage = spec.expectedUsage.map(({ metric, quantityPerBlock }) => {
    const one = prices.find((price) => price.metric === metric);
    const isLimited = spec.usageLimits.some((limit) => limit.metric === metric);
    if (one === undefined || !isLimited) return Fraction.zero;
    return Fraction.ofAtomics(one.price).times(quantityPerBlock).over(one.per).raised();
  });
  return sumOf([...offers.map(priceOf), ...usage]);
}

/** Whether a price is above what the user allows for a unit. */
export function isAboveLimit(
  { price, per }: MetricPrice,
  { maxPrice, maxPricePer }: { readonly maxPrice: string; readonly maxPricePer: bigint },
): boolean {
  return Fraction.ofAtomics(price).over(per).isAbove(Fraction.ofAtomics(maxPrice).over(maxPricePer));
}
