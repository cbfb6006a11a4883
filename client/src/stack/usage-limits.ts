/** Usage limits where the user names none: twice the median of what the region's providers list (design §8). */
import { Dec } from '@mu/lib/dec';
import type { UsageLimit } from '@mu/proto/deployment';
import { greaterOf } from './units.ts';

/** A metric as x/provider's parameters know it. */
export interface MetricFact {
  readonly name: string;
  /** The type of service that it belongs to, like mu-function. */
  readonly service: string;
  /** The most that one lease can use in one block; 0 for no bound. */
  readonly maxPerBlock: bigint;
}

/** A provider's latest price list, and where it serves. */
export interface PriceListFact {
  readonly provider: string;
  readonly regions: readonly string[];
  /** Each price is for `per` base units. */
  readonly prices: readonly { readonly metric: string; readonly price: Dec; readonly per: bigint }[];
}

const mib = 1024n * 1024n;
/**
 * How much of a metric may be used per block where the user says nothing: what one busy small application uses, as the
 * reserve covers all of it. First match by the end of the metric's name; each is cut to the metric's own bound.
 */
const quantities: readonly (readonly [RegExp, bigint])[] = [
  [/byte-blocks$/, 256n * mib],
  [/megabyte-milliseconds$/, 512_000n],
  [/megabyte-instructions$/, 512_000_000_000n],
  [/bytes$/, 16n * mib],
  [/./, 1_000n],
];

/** The default quantity per block of a metric. */
export function defaultQuantity(metric: MetricFact): bigint {
  const quantity = quantities.find(([pattern]) => pattern.test(metric.name))![1];
  return metric.maxPerBlock > 0n && metric.maxPerBlock < quantity ? metric.maxPerBlock : quantity;
}

/**
 * A limit for each metric of the services that a price list of the region names: twice the median of the lists' prices,
 * rounded up at the 18th decimal, for the largest number of base units that a list uses. A metric that nobody lists, or
 * whose median is zero, gets none and is free of charge.
 */
export function medianUsageLimits(
  lists: readonly PriceListFact[],
  metrics: readonly MetricFact[],
  services: readonly string[],
): UsageLimit[] {
  const limits: UsageLimit[] = [];
  for (const metric of metrics) {
    if (!services.includes(metric.service)) continue;
    const prices = lists.flatMap((list) => list.prices.filter(({ metric: name }) => name === metric.name));
    const doubled = twiceMedian(prices.map(({ price, per }) => ({ atomics: price.atomics, per })));
    if (doubled === undefined || doubled.atomics === 0n) continue;
    const per = prices.reduce((most, price) => greaterOf(price.per, most), 1n);
    limits.push({
      metric: metric.name,
      maxPrice: ceilDiv(doubled.atomics * per, doubled.per).toString(),
      maxPricePer: per,
      maxQuantityPerBlock: defaultQuantity(metric),
    });
  }
  return limits;
}

/** A price as a fraction: atomics of umu for so many base units. */
interface Rate {
  readonly atomics: bigint;
  readonly per: bigint;
}

/** Twice the median; of an even number, the sum of the middle two. */
function twiceMedian(rates: readonly Rate[]): Rate | undefined {
  const sorted = [...rates].sort((a, b) => {
    const difference = a.atomics * b.per - b.atomics * a.per;
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  });
  const low = sorted[(sorted.length - 1) >> 1];
  const high = sorted[sorted.length >> 1];
  if (low === undefined || high === undefined) return undefined;
  return { atomics: low.atomics * high.per + high.atomics * low.per, per: low.per * high.per };
}

/** The most that a limit lets be billed in one block, in atomics of umu. */
export function limitPerBlock(limit: UsageLimit): Dec {
  return Dec.fromAtomics(ceilDiv(BigInt(limit.maxPrice) * limit.maxQuantityPerBlock, limit.maxPricePer));
}

function ceilDiv(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}
