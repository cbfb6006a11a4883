/** The reserve of a deployment (design §5 billing): what its escrow must hold at the start and what withdrawals leave. */
import type { Amount } from '@mu/lib/amounts';
import type { Params } from '@mu/proto/billing';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { errInvalidAmount, errOverflow } from './errors.ts';
import { atomicsFromWire, umuAtomics } from './wire.ts';

const maxReserve = 2n ** 256n - 1n;

const ceilDivide = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/**
 * `min_runway_blocks` × Σ price × count + Σ max_price / per × max_quantity_per_block × `usage_window_blocks`, over all
 * infrastructures; each metric is rounded up to 10⁻¹⁸ umu, the sum to whole umu.
 * @throws AbciError when a price is no decimal, a `per` is 0 or the reserve exceeds 256 bits
 */
export function reserveFor(
  infrastructures: readonly DeploymentInfrastructure[],
  params: Pick<Params, 'minRunwayBlocks' | 'usageWindowBlocks'>,
): Amount {
  let atomics = 0n;
  for (const { resources, usageLimits } of infrastructures) {
    for (const { price, count } of resources)
      atomics += params.minRunwayBlocks * atomicsFromWire(price) * BigInt(count);
    for (const { maxPrice, maxPricePer, maxQuantityPerBlock, metric } of usageLimits) {
      if (maxPricePer === 0n) throw errInvalidAmount.wrap(`max_price_per of ${metric} is 0`);
      const quantity = maxQuantityPerBlock * params.usageWindowBlocks;
      atomics += ceilDivide(atomicsFromWire(maxPrice) * quantity, maxPricePer);
    }
  }
  const reserve = ceilDivide(atomics, umuAtomics);
  if (reserve > maxReserve) throw errOverflow.wrap('reserve');
  return reserve;
}
